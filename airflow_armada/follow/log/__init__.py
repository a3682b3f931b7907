"""A job's own log: read page by page while it runs, within a budget."""
