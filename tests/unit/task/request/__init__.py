"""The Airflow side, without a server."""
