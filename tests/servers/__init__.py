"""Real servers, started by the tests on loopback ports and gone with them."""
