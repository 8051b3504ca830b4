"""Interceptors of every call: observation, errors, tokens, readiness, time limits."""
