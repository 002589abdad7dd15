"""Event loops, threads, forks and signals: what asyncio and the system ask of stores and sessions.

Nothing here but `locks` uses a lock: another thread might hold it at the moment of a fork, and it
would never be released in the child. What threads share is changed by single operations of a list
or a dict.
"""
