"""Messages of ``proto/armada/node.proto``."""

from airflow_armada.api._pool import define

define(globals(), "armada/node.proto")
