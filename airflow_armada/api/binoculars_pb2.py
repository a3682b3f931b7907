"""Messages of ``proto/armada/binoculars.proto``."""

from airflow_armada.api._pool import define

define(globals(), "armada/binoculars.proto")
