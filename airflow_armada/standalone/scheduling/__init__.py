"""Which job runs when: the backlog, the scheduling rounds and the engine that carries out what they decide."""
