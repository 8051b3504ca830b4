"""Provides an in-memory store and synthetic clips for demonstrations and tests."""
