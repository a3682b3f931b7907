"""Messages of ``proto/armada/health.proto``."""

from airflow_armada.api._pool import define

define(globals(), "armada/health.proto")
