"""Playlists: the tracks to play after a list, and those that lead from one sound to another."""
