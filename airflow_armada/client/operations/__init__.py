"""Every call of the client, described once: each function here makes the :class:`~airflow_armada.client.calls.Call`
that the method of the same name runs, in the sync and in the asyncio client.
"""
