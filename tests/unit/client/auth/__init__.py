"""Credentials: pure functions and files."""
