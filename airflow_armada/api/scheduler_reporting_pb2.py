"""Messages of ``proto/armada/scheduler_reporting.proto``."""

from airflow_armada.api._pool import define

define(globals(), "armada/scheduler_reporting.proto")
