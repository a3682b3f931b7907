"""Tests of the calls of the client without any server."""
