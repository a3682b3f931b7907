"""A process that runs DAGs with ``dag.test()``, one after another; see ``conftest.py``.

It reads requests as JSON lines from standard input, and answers each one with a JSON line on the file descriptor that
its first argument names. What tasks log goes to standard output, as JSON lines as well.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any


def load_dag(path: Path) -> Any:
    """Import a DAG file the way a user's script would."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module.dag


def load_example(path: Path, dag_id: str) -> Any:
    """Read a DAG file the way Airflow does."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(path))
    if bag.import_errors:
        raise ImportError("\n".join(bag.import_errors.values()))
    return bag.dags[dag_id]


def decoded(value: Any) -> Any:
    """Decode a stored XCom, which is JSON within JSON on some versions of Airflow."""
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value


def task_of(instance: Any) -> dict[str, Any]:
    """Describe how a task ended."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        own = select(XComModel).where(
            XComModel.run_id == instance.run_id,
            XComModel.dag_id == instance.dag_id,
            XComModel.task_id == instance.task_id,
            XComModel.map_index == instance.map_index,
        )
        fields = RenderedTaskInstanceFields.get_templated_fields(instance, session=session) or {}
        xcoms = {xcom.key: xcom.value for xcom in session.scalars(own)}
    return {
        "task_id": instance.task_id,
        "map_index": instance.map_index,
        "state": str(instance.state),
        "try_number": instance.try_number,
        "rendered": {name: value for name, value in fields.items() if value},
        "xcoms": {key: decoded(value) for key, value in xcoms.items()},
    }


@contextmanager
def waiting(waits: Mapping[str, Mapping[str, float]]) -> Iterator[None]:
    """Let what is waited out for minutes be waited out for a moment.

    :param waits: seconds by field, by the place of the frozen record that has it, as ``module:NAME``
    """
    with ExitStack() as stack:
        for place, fields in waits.items():
            module, _, name = place.partition(":")
            record = getattr(importlib.import_module(module), name)
            for field, seconds in fields.items():
                stack.callback(object.__setattr__, record, field, getattr(record, field))
                object.__setattr__(record, field, seconds)
        yield


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run one DAG."""
    path, dag_id = Path(request["path"]), request.get("dag_id")
    dag = load_example(path, dag_id) if dag_id else load_dag(path)
    with waiting(request.get("waits", {})):
        run = dag.test(run_conf=request.get("conf"))
    tasks = [task_of(instance) for instance in run.get_task_instances()]
    return {"run_id": run.run_id, "state": str(run.state), "tasks": tasks}


def main() -> None:
    """Serve until standard input ends."""
    from airflow.utils.db import initdb

    initdb()
    with os.fdopen(int(sys.argv[1]), "w") as replies:
        print(json.dumps({"ready": True}), file=replies, flush=True)
        for line in sys.stdin:
            try:
                reply = answer(json.loads(line))
            except BaseException as error:
                reply = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
