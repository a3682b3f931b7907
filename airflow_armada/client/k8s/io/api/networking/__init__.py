"""Module names of ``armada-client``, for code that moves over from it."""
