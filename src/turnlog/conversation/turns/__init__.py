"""Turns: the lease, the run that holds it, and policies for runs that meet."""
