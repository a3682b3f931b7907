"""What the embedded Armada keeps: jobs and their runs, queues, and the events of each job set."""
