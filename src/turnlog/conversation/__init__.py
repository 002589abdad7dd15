"""One conversation over any store."""
