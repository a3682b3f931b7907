"""A whole Airflow and an embedded Armada on this machine, to try the provider: ``airflow-armada up`` and ``demo``."""
