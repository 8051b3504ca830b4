"""The callers of the server, and what each of them may use."""
