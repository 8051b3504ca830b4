"""Judges recommendations by each setting that a caller of Recommend has, with the code that chooses the tracks."""
