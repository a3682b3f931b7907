"""Messages under the module name that ``armada-client`` gives them."""

from airflow_armada.api.resource_pb2 import *  # noqa: F403
