"""Messages of ``proto/armada/event.proto``."""

from airflow_armada.api._pool import define

define(globals(), "armada/event.proto")
