"""Tests of the embedded Armada."""
