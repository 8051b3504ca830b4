"""The choice of tracks to recommend: filters, limits for an artist, an album and a recording, and diversity."""
