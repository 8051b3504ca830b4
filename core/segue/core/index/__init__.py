"""Searches for nearest neighbours in memory, and stores the index on disk."""
