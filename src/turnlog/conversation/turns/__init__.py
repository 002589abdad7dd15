"""Turns: one run at a time writes to a branch, and a run that lost its turn can't write.

policy ──▶ lease ──▶ lease_log    who may write: a log that holds one claim, and tickets
   │         └─────▶ waiting      when a claim has expired, and when to look again
   └─────▶ holding                the writes of the run that holds the lease
turn                              a turn as users of `StoredSession.turn` see it
endings                           marks of turns that are over without an answer
"""
