"""Tests of the event streams of the client over real sockets."""
