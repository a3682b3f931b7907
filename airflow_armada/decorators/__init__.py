"""Task decorators: a Python function, or the command that it returns, as an Armada job."""
