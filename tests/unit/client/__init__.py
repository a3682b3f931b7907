"""Tests of the client without any server."""
