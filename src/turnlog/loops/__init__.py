"""Event loops, threads and forks: what stores and sessions need because of asyncio.

Nothing here uses a lock: another thread might hold it at the moment of a fork, and it would
never be released in the child. What threads share is changed by single operations of a list
or a dict.
"""
