"""Turns: one run at a time writes to a branch, and a run that lost its turn can't write.

beginning                     reads the view and stores the question together with the claim
   │ └──▶ forking             takes the lease by policy: after others, or on a copy
   ▼
open_turn ──▶ answering       the writes of the run that holds the lease, and the last of them
   │
   ▼
lease ──▶ taking ──▶ claims   who may write: one claim, and the tickets of runs that wait
   │         └─────▶ waiting  when a claim has expired, and when to look again
   └────▶ giving_back         frees the lease, and retries that until it works
turn                          a turn as users of `StoredSession.turn` see it
current                       which turn the running task belongs to
policy                        what a run does when another one is under way
writing                       a write through the running task's turn, or on its own
next_write                    changes that the next add_items of a run makes as well
endings                       marks of turns that are over without an answer
run_key                       a run with a key asks once and answers once
"""
