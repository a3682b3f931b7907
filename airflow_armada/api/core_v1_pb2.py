"""Messages of ``proto/kubernetes/core_v1.proto``."""

from airflow_armada.api._pool import define

define(globals(), "kubernetes/core_v1.proto")
