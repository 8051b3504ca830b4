"""Decodes audio files: containers, samples, signal quality and track ids."""
