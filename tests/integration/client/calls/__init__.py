"""Tests of the calls of the client over real sockets."""
