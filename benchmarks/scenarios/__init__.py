"""Scenarios: which measurements are made, how often, and what is told of them."""
