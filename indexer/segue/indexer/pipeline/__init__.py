"""Steps from a file to a committed track: scan, examine, predict, commit."""
