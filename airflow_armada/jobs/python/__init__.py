"""A Python function packed into a job, and the program that runs it there."""
