"""Writes a trained network as an artifact."""
