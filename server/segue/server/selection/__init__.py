"""The results of searches: the tracks, the reasons for each, and a sample of searches that are repeated exactly."""
