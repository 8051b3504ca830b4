"""Measures classification and recommendation on labelled tracks."""
