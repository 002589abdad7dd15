"""Items: pure functions over the JSON objects of a conversation."""
