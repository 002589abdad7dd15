"""Layers: stores in front of stores, each imported from its own module."""
