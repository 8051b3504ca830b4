"""Builds ``segue-accurate``: MusiCNN, its tags, and the head over them."""
