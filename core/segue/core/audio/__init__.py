"""Decodes audio files: containers, samples, signal quality, track ids."""
