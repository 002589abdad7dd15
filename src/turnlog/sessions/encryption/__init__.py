"""The parts of `EncryptedSession`: calls of the wrapped session, reading in windows, compaction."""
