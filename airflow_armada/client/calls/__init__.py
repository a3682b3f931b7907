"""The unary calls of the client: one file a topic, with the description of each call and its two methods.

A description makes the :class:`~airflow_armada.client.calls.call.Call` that the method for blocking code and the one
for asyncio code run.
"""
