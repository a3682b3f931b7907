"""What is checked of a job before it is sent, one file for each thing."""
