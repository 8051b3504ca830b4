"""One training run from data to artifact, resumable."""
