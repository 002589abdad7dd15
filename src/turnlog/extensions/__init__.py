"""Here for the names in `turnlog.extensions.memory`."""
