"""Encryption: sealed records, data keys, key rings and rotation; `turnlog.layers.encrypted`."""
