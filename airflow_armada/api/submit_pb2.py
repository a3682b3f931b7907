"""Messages of ``proto/armada/submit.proto``."""

from airflow_armada.api._pool import define

define(globals(), "armada/submit.proto")
