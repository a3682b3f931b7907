"""Kubernetes JSON and YAML to and from the wire messages."""
