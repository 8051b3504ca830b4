"""Writes reports, figures, model cards and run records."""
