"""Following jobs to their end: one event stream per job set, snapshots for truth, the job's own log on the side."""
