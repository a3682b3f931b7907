"""Ways into a site, over real sockets."""
