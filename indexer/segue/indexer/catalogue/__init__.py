"""Sessions, publication, removals and backups of the catalogue."""
