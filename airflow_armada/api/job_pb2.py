"""Messages of ``proto/armada/job.proto``."""

from airflow_armada.api._pool import define

define(globals(), "armada/job.proto")
