"""Branches of a conversation: forks, rewinds, differences, deletion and clearing."""
