"""Tests of the event streams of the client without any server."""
