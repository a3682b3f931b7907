"""From the end of a job to the outcome of its task, and the end of a task to that of its job."""
