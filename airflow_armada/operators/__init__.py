"""What Airflow calls to run a task."""
