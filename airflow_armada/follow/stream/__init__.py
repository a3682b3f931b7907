"""How it comes to be known: one event stream for each job set, and the query service and the history behind it."""
