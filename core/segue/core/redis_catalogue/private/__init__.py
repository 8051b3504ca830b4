"""The Redis server that Segue starts for itself."""
