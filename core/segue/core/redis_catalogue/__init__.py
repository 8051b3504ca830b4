"""Reads, writes, locks and audits the catalogue in Redis, and runs a private Redis."""
