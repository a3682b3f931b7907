"""Messages of ``google/protobuf/empty.proto``."""

from airflow_armada.api._pool import define

define(globals(), "google/protobuf/empty.proto")
