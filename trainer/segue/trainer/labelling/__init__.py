"""Suggests unlabelled clips to label next."""
