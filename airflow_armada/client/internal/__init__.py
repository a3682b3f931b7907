"""Module names that ``armada-client`` calls internal, and that its users import all the same."""
