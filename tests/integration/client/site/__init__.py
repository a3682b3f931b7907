"""The way to a site: diagnosis, proxies, TLS, discovery."""
