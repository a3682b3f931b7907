"""Messages of ``proto/kubernetes/meta_v1.proto``."""

from airflow_armada.api._pool import define

define(globals(), "kubernetes/meta_v1.proto")
