"""Watching the events of a job set from code that uses the client."""
