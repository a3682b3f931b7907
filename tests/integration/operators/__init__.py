"""The Airflow side, on a real Airflow against the embedded Armada."""
