"""The operator of a simulated task, as a worker finds it in the DAG's file."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.retry_policy import ArmadaRetryPolicy

SIDE = "side"
"""The name of a second container."""


def make_operator(options: dict[str, Any], conn_id: str, try_number: int) -> ArmadaOperator:
    """
    Make the operator, with its arguments as they are once they are rendered.

    :param options: its arguments. ``retry_policy`` holds those of :class:`ArmadaRetryPolicy`, and ``gang_id`` a
        template of its own.
    :param conn_id: the connection.
    :param try_number: the number of the try.
    """
    arguments = dict(options)
    if "retry_policy" in arguments:
        arguments["retry_policy"] = ArmadaRetryPolicy(**arguments["retry_policy"])
    if "gang_id" in arguments:
        arguments["gang_id"] = arguments["gang_id"].format(try_number=try_number)
    return ArmadaOperator(
        task_id="work", dag=DAG("dag"), armada_conn_id=conn_id, armada_queue="q", image="busybox", **arguments
    )
