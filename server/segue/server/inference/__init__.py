"""Inference on uploaded clips: admission, decoding in worker processes, batches of the model."""
