"""Models: the protocol that a run asks, its settings, names, and OpenAI's APIs."""
