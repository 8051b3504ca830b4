"""Keeps the catalogue in step with folders: notices changes, waits until files stop changing, applies batches."""
