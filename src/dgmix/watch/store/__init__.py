"""Memory that survives: one SQLite file with one writer, and clips as FLAC beside it."""
