"""The parts of `OpenAIResponsesCompactionSession`."""
