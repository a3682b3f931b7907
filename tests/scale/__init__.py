"""Hundreds of deferred tasks at a time, on a whole Airflow."""
