"""Event loops, threads and forks: what asyncio demands of a store over a network.

Nothing here takes a lock, which another thread might hold at the moment of a fork and
could never release in the child: what threads share is changed by single operations of a
list or a dict.
"""
