"""Reading a DAG file, and a resume that fetches nothing, pay for neither grpc nor protobuf."""

from __future__ import annotations

import subprocess
import sys
import textwrap

HEAVY = "('grpc', 'google', 'kubernetes', 'armada_client')"


def heavy_modules(code: str) -> str:
    """Run code in a process of its own and return which heavy modules it has imported."""
    check = f"import sys\nprint('heavy:', sorted({{m.split('.')[0] for m in sys.modules}} & set({HEAVY})))"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code) + "\n" + check],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.rpartition("heavy: ")[2].strip()


ON_WORKER = """
import os
os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"], os.environ["_AIRFLOW_PARSING_CONTEXT_TASK_ID"] = "d", "t"
"""
"""What Airflow sets while a worker reads the DAG file of the task that it is about to run."""


def test_the_operator_module_imports_nothing_heavy() -> None:
    assert heavy_modules("import airflow_armada.operators.armada") == "[]"


def test_a_dag_file_that_is_read_by_the_dag_processor_never_needs_grpc() -> None:
    code = """
    from airflow.sdk import DAG
    from airflow_armada.operators.armada import ArmadaOperator

    with DAG("d", schedule=None):
        ArmadaOperator(task_id="t", armada_queue="q", image="i")
    """

    assert "grpc" not in heavy_modules(code)


def test_a_dag_file_that_is_read_by_a_worker_imports_nothing_heavy() -> None:
    code = """
    from airflow.sdk import DAG
    from airflow_armada.operators.armada import ArmadaOperator

    with DAG("d", schedule=None):
        ArmadaOperator(task_id="t", armada_queue="q", image="i")
    """

    assert heavy_modules(ON_WORKER + textwrap.dedent(code)) == "[]"


def test_the_trigger_hook_and_provider_info_import_nothing_heavy() -> None:
    code = """
    import airflow_armada.exceptions
    import airflow_armada.hooks.armada
    import airflow_armada.provider_info
    from airflow_armada.triggers.armada import ArmadaJobTrigger

    ArmadaJobTrigger(armada_conn_id="c", queue="q", job_set_id="s", job_id="j", submitted_at=0.0).serialize()
    """

    assert heavy_modules(code) == "[]"


def test_a_resume_that_fetches_nothing_imports_nothing_heavy() -> None:
    code = """
    from datetime import datetime, timezone
    from types import SimpleNamespace
    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.operators.armada import ArmadaOperator
    from airflow_armada.client.job_ref import JobRef
    from airflow_armada.wait.event import EVENT_VERSION
    from airflow_armada.wait.job_wait import JobWait

    wait = JobWait("armada_default", JobRef("q", "s", "j"), 0.0)
    event = {
        "version": EVENT_VERSION, "wait": wait.to_dict(), "outcome": Outcome("succeeded", "j", ran=True).to_dict()
    }
    ti = SimpleNamespace(
        dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1, max_tries=0,
        start_date=datetime.now(timezone.utc),
    )
    operator = ArmadaOperator(task_id="t", armada_queue="q", image="i")
    result = operator.execute_complete({"ti": ti}, event)
    assert result["status"] == "succeeded", result
    """

    assert heavy_modules(ON_WORKER + textwrap.dedent(code)) == "[]"


def test_the_command_line_needs_airflow_for_its_connections_only() -> None:
    """Airflow's logging would write into what a command prints."""
    code = """
    import importlib, sys
    from airflow_armada.cli.arguments import COMMANDS

    for command in COMMANDS:
        if command.has_site:
            importlib.import_module(command.module)
            assert "airflow" not in sys.modules, command.name
    """

    heavy_modules(code)
