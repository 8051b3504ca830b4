"""Learns from numbers of plays: factors of users and items, and the map from content to the factors of items."""
