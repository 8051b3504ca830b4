"""Builds ``segue-accurate``: MusiCNN, its tags, and the head on top of them."""
