"""Credentials against real providers and real servers."""
