"""Settings, tokens and files of connections: pure functions and files."""
