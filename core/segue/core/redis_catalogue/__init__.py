"""Stores the catalogue in Redis: reader, writer, lock, audit and private server."""
