"""Compaction: older turns are shown as a summary. Their records stay, and it can be undone."""
