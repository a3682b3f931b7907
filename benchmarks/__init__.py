"""Measurements of this project beside its peer and beside the bare machinery: ``python -m benchmarks``."""
