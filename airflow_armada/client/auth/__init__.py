"""How a client shows who it is: credentials of every kind, fetched, renewed and put on every call."""
