"""The choice of tracks to recommend: filters, limits for an artist and an album, and diversity."""
