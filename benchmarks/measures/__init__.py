"""Measurements, each run in a fresh process of its own by :func:`benchmarks.children.measure`."""
