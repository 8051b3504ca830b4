"""Divides tracks into training, validation and test sides."""
