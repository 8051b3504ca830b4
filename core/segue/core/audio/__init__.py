"""Decodes audio files: decoders, containers, samples, signal quality and track ids."""
