"""Summaries: records beside a branch that stand for its older records, and which of them counts."""
