"""What every call passes before its handler: observation, errors, tokens, time limits."""
