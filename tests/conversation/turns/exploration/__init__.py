"""Exploration: turns of the real code in every order in which their calls of the store can come.

world         runs over a store in memory; each call waits until the scheduler picks it
explorer      a search over all choices of the scheduler, each state once
scenarios     the runs, and what must hold at the end of each
"""
