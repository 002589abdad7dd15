"""OpenAI's APIs, and servers that are compatible with them."""
