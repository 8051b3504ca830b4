"""Checks and loads a model artifact, and predicts with it."""
