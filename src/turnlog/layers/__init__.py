"""Stores in front of stores. Each layer is imported from its own module."""
