"""Tests of the embedded Armada's ``store``."""
