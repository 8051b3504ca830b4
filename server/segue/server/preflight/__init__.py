"""Checks before the server starts: machine, model, data folder, catalogue, ports, certificates, tokens."""
