"""A chat service under load: clients that go away and ask twice, and workers that are killed."""
