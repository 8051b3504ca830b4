"""Certificates, tokens, and warnings about an open port."""
