"""Messages of ``proto/kubernetes/intstr.proto``."""

from airflow_armada.api._pool import define

define(globals(), "kubernetes/intstr.proto")
