"""Messages under the module name that ``armada-client`` gives them."""

from airflow_armada.api.event_pb2 import *  # noqa: F403
