"""The offline model: a stand-in that is no LLM."""
