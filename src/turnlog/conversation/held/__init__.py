"""Held sessions: a lease, a fence and the rules of retries for another library's runner.

holdable               the methods of a session: `held`, and what `get_items` shows within
   │
   ▼
holding                takes the lease, and gives it back
   │
   ▼
stored ──▶ block       the key of a block, and what is read and stored within
             │
             ▼
         unanswered    what an earlier attempt has left behind at the end of a conversation
current                which blocks the running task is in
"""
