"""Tests of the embedded Armada's ``services``."""
