"""Operators: arguments and context turned into a job, and its end into the outcome of the task."""
