"""Which try of which task this is, which job of it, and what that job is told of them."""
