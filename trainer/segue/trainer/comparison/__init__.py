"""Measures several networks side by side and writes the results pages."""
