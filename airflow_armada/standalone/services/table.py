"""All services' handlers in one table."""

from __future__ import annotations

from airflow_armada.standalone.services.access import Access
from airflow_armada.standalone.services.binoculars import BinocularsService
from airflow_armada.standalone.services.event import EventService
from airflow_armada.standalone.services.executor import ExecutorService
from airflow_armada.standalone.services.jobs import JobsService
from airflow_armada.standalone.services.queue import QueueService
from airflow_armada.standalone.services.reporting import ReportingService
from airflow_armada.standalone.services.retry_policy import RetryPolicyService
from airflow_armada.standalone.services.routes import Routes
from airflow_armada.standalone.services.submit import SubmitService


def routes(access: Access) -> Routes:
    """Return the handler of every method of the API."""
    queues = QueueService(access)
    return {
        **queues.routes(),
        **SubmitService(access, queues).routes(),
        **EventService(access).routes(),
        **JobsService(access).routes(),
        **BinocularsService(access).routes(),
        **RetryPolicyService(access).routes(),
        **ExecutorService(access).routes(),
        **ReportingService(access).routes(),
    }
