"""Airflow connections end to end."""
