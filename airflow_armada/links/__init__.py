"""Links that the Airflow UI shows."""
