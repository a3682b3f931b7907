"""Put the mapped tasks of a DAG run where ``defer`` leaves them, by the models of the Airflow that runs this.

``python -m tests.scale.seed DAG RUN TASK``, in that Airflow's environment; the triggers are read from standard input,
one ``[class path, arguments]`` for each map index from 0. What is left of the run is skipped.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import func, select, update

Serialized = tuple[str, dict[str, Any]]


def seed(dag_id: str, run_id: str, task_id: str, triggers: Sequence[Serialized]) -> None:
    """
    Do to each task what Airflow's API does when a worker tells it that its task is deferred.

    :raises ValueError: when Airflow has not scheduled as many tasks.
    """
    rows: Any = TaskInstance
    of_run = (rows.dag_id == dag_id, rows.run_id == run_id, rows.state == TaskInstanceState.SCHEDULED)
    with create_session() as session:
        scheduled = select(rows.id).where(*of_run, rows.task_id == task_id).order_by(rows.map_index)
        ids = list(session.scalars(scheduled))
        if len(ids) < len(triggers):
            raise ValueError(f"{len(ids)} tasks of {dag_id} {run_id} are scheduled, and not {len(triggers)}")
        waiting = []
        for path, kwargs in triggers:
            trigger = Trigger(classpath=path, kwargs={})
            trigger.encrypted_kwargs = json.dumps(kwargs)  # as a worker sends them
            waiting.append(trigger)
        session.add_all(waiting)
        session.flush()
        deferred = {"state": TaskInstanceState.DEFERRED, "next_method": "execute_complete", "hostname": "seeded"}
        for one, trigger in zip(ids, waiting, strict=False):
            values = deferred | {"trigger_id": trigger.id, "start_date": func.now()}
            session.execute(update(rows).where(rows.id == one).values(values))
        session.execute(update(rows).where(*of_run).values(state=TaskInstanceState.SKIPPED))


if __name__ == "__main__":
    seed(*sys.argv[1:4], json.load(sys.stdin))
