"""Messages of ``proto/kubernetes/resource.proto``."""

from airflow_armada.api._pool import define

define(globals(), "kubernetes/resource.proto")
