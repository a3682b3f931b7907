"""The Apache Airflow provider for Armada."""

__version__ = "0.1.0"
