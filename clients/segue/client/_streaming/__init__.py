"""The streaming calls: how they are built, opened, and ended."""
