"""From arguments to outcome: what every operator does with its job, whatever its class."""
