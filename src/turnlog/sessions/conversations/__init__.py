"""Conversations at OpenAI: what `OpenAIConversationsSession` is made of.

remote ──▶ client     the calls of the API; which of their errors are worth a retry
   ▲
appending ──▶ forms   writes in requests of 20 items, which look first before a retry
writing               creation on the first write, and writes with a key
retrying              the waits before a retry
popping               removal of the newest item
clearing ──▶ erasing  deletion of the conversation, and of all items
about ──▶ metadata    title, owner and tags as pairs of the API
beside                what lives in a store: the entry in the directory, progress, usage, the lease
tail ──▶ forms        the newest part, for views
turns                 turns of our runner, and `session.turn`
sdk                   recognition by the Runner of the OpenAI Agents SDK
hints                 what to do about errors of the client
refusals              what this kind of session can't do
"""
