"""Real servers for tests: started on loopback ports, and stopped with the tests."""
