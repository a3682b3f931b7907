"""The command line: ``airflow-armada`` always, ``airflow armada`` where Airflow takes commands from providers."""
