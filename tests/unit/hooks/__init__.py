"""Airflow connections without any server."""
