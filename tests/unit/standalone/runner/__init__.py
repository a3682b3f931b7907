"""Tests of the embedded Armada's ``runner``."""
