"""From files to committed tracks: scan, examine, predict, commit."""
