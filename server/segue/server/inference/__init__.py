"""From an uploaded clip to its prediction: admission, decoding, batching."""
