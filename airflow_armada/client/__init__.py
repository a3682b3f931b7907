"""The Armada client: sync and asyncio clients, events, permissions, logs, settings, credentials, errors."""

from airflow_armada.client.grpc_trace import silence

silence()
