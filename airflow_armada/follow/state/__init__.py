"""What is known of one job, pure and without I/O: folded from events and snapshots, told as an outcome and as texts."""
