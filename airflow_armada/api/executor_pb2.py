"""Messages of ``proto/armada/executor.proto``."""

from airflow_armada.api._pool import define

define(globals(), "armada/executor.proto")
