"""The tools of the tests, and what is committed beside them."""
