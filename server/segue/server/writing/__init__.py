"""Writes of callers to the catalogue: what they ask for, and the one thread that writes it under the lock."""
