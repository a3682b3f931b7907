"""Servers of synthetic streams, each run in a process of its own."""
