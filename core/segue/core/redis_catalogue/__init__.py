"""Stores the catalogue in Redis: reader, writer, lock, audit, private server."""
