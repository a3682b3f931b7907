"""Waiting for a job, the same in a trigger and on a worker: which job, how, and what is said meanwhile."""
