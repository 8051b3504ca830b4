"""Reads training data: folders of audio, log-mel archives, tags."""
