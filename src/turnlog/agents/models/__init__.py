"""Models: the protocol, settings and names."""
