"""Finds nearest neighbours in memory and keeps the index on disk."""
