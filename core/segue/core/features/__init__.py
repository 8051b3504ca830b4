"""Computes the log-mel windows that a network takes; imports no TensorFlow."""
