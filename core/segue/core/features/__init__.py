"""Computes the log-mel windows for a network; imports no TensorFlow."""
