"""What to submit: one job model from many forms, its conversion to the wire, and the checks made before it is sent."""
