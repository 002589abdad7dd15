"""A reference of branches, turns and usage, and a random walk that compares stores with it."""
