"""Loads and checks a model artifact and predicts with it."""
