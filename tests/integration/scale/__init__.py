"""The instruments of the scale stage."""
