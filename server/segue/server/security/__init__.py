"""Access to the server: TLS certificates, tokens, warnings about an open port."""
