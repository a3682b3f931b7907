"""Triggers: a follower awaited in the triggerer."""
