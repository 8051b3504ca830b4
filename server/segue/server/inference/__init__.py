"""Inference on uploaded clips: admission, decoding in worker processes, batches for the model."""
