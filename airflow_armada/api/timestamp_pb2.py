"""Messages of ``google/protobuf/timestamp.proto``."""

from airflow_armada.api._pool import define

define(globals(), "google/protobuf/timestamp.proto")
