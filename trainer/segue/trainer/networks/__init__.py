"""The network architectures in Keras."""
