"""What is submitted: the identity of a try, what the job is told of its task, the request and where it goes."""
