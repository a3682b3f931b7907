"""Tests of the embedded Armada's ``scheduling``."""
