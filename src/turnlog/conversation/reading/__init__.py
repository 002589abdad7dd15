"""Reading a conversation: the log reader, its tail, milestones and the view for a model."""
