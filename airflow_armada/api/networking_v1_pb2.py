"""Messages of ``proto/kubernetes/networking_v1.proto``."""

from airflow_armada.api._pool import define

define(globals(), "kubernetes/networking_v1.proto")
