"""
Ending a task in the triggerer when its job has succeeded, without a second worker.

Airflow then runs nothing of what belongs to a task's success on a worker. So this is refused where any of that is
wanted, and every other end of the job goes the ordinary way.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from airflow_armada.links.templates import tells_the_end

if TYPE_CHECKING:
    from airflow_armada.task.arguments.task_arguments import TaskArguments

log = logging.getLogger("airflow.task.operators.airflow_armada")


def lost_by_it(operator: TaskArguments) -> list[str]:
    """
    List what an end in the triggerer would silently leave out.

    :param operator: the operator.
    :return: for each, what it is and how to give it up.
    """
    cls = type(operator)
    own_end = cls.changes("execute_complete", "post_execute")
    wanted = {
        "the return value, which would arrive as text: add do_xcom_push=False": operator.do_xcom_push,
        "the result: take away get_result": operator.get_result,
        "the published operator's XComs: take away armada_compat_xcom": operator.armada_compat_xcom,
        "callbacks": operator.callbacks is not None,
        "on_success_callback": bool(operator.on_success_callback),
        "the asset events of outlets": bool(operator.outlets),
        "post_execute": operator._post_execute_hook is not None,
        "the links that tell where the job ran: take them out of extra_links": tells_the_end(operator.link_templates),
        f"what {cls.__name__} does after the job's end": own_end,
    }
    return [what for what, is_wanted in wanted.items() if is_wanted]


def check_end_from_trigger(operator: TaskArguments) -> None:
    """
    Refuse ``end_from_trigger`` where it cannot be, or would lose something.

    :param operator: the operator.
    :raises ValueError: naming all of it.
    """
    if not operator.end_from_trigger:
        return
    if not (operator.deferrable and operator.wait_for_completion):
        raise ValueError("end_from_trigger needs deferrable=True and wait_for_completion=True")
    if lost := lost_by_it(operator):
        raise ValueError(f"end_from_trigger would lose {'; '.join(lost)}")


def ends_in_trigger(operator: TaskArguments) -> bool:
    """
    Decide on the worker, where more is known than while a DAG file is parsed.

    :param operator: the live operator of the task.
    :return: whether the trigger may end the task.
    """
    if not operator.end_from_trigger:
        return False
    lost = lost_by_it(operator)
    if next(iter(operator.iter_mapped_dependants()), None) is not None:
        lost.append("what a downstream task maps over")
    if _has_success_listeners():
        lost.append("what a listener, such as OpenLineage's, wants to hear")
    if lost:
        log.info("The task will end on a worker: its end in the triggerer would lose %s", "; ".join(lost))
    return not lost


def _has_success_listeners() -> bool:
    task_runner = import_module("airflow.sdk.execution_time.task_runner")
    return bool(task_runner.get_listener_manager().hook.on_task_instance_success.get_hookimpls())
