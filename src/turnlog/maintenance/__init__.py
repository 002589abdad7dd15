"""Looking after many conversations: erasure."""
