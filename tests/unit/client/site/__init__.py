"""What a connection, a file of armadactl and Lookout say about a site."""
