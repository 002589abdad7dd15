"""The offline model: a stand-in for demos and tests, not an LLM."""
