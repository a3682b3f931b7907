"""Airflow connection to settings to clients."""
