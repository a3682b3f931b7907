"""``@task.armada`` and ``@task.armada_cmd`` on a real Airflow with ``dag.test()``."""

from __future__ import annotations

import pytest

from tests.integration.operators.conftest import InlineAirflow

pytestmark = pytest.mark.timeout(600)
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "blocking"])


@both_modes
def test_a_function_runs_as_a_job_and_its_value_comes_back(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f"""
        @task.armada(**SMALL, deferrable={deferrable})
        def add(a, b, run_id=None):
            import os
            print("adding in", os.environ["ARMADA_JOB_ID"])
            return {{"sum": a + b, "run": run_id}}

        @task.armada(**SMALL, deferrable={deferrable})
        def double(value):
            return value["sum"] * 2

        double(add(1, b=2))
    """)

    assert run.state == "success"
    assert run.result("add") == {"sum": 3, "run": run.run_id}
    assert run.result("double") == 6
    assert [line.split()[0] for line in run.pod_lines()] == ["adding"]


def test_mapped_functions_and_what_comes_after_them(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        @task.armada(**SMALL)
        def square(n):
            return n * n

        @task.armada(**SMALL)
        def total(numbers):
            return sum(numbers)

        total(square.expand(n=[1, 2, 3]))
    """)

    assert run.result("total") == 14


@both_modes
def test_an_exception_comes_back_by_name(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f"""
        @task.armada(**SMALL, deferrable={deferrable})
        def broken():
            raise LookupError("nothing there")

        broken()
    """)

    ((kind, text),) = run.errors()
    assert kind == "ArmadaJobFailed"
    assert text.startswith("Exit code 1: LookupError: nothing there\nArmada job ")
    assert '    raise LookupError("nothing there")' in run.pod_lines()


def test_arguments_of_the_operator_are_arguments_of_the_decorator(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        @task.armada(**SMALL, env_vars={"DAY": "{{ ds_nodash }}"}, multiple_outputs=True)
        def facts(given, ds_nodash=None):
            import os
            return {"same": os.environ["DAY"] == ds_nodash == given}

        facts("{{ ds_nodash }}")
    """)

    assert run.task("facts")["xcoms"]["same"] is True


def test_a_value_that_cannot_travel_fails_the_task(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        @task.armada(**SMALL)
        def returns_a_set():
            return {1}

        returns_a_set()
    """)

    ((_, text),) = run.errors()
    assert "the function returned what JSON cannot say" in text


@both_modes
def test_a_function_may_return_the_command(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f"""
        @task.armada_cmd(**SMALL, deferrable={deferrable})
        def say(what, ti=None):
            return ["echo", what, ti.task_id, "{{{{ run_id }}}}"]

        say("hello")
    """)

    assert run.pod_lines() == [f"hello say {run.run_id}"]
    assert run.result("say")["status"] == "succeeded"


def test_what_is_no_command_fails_the_task_at_once(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        @task.armada_cmd(**SMALL)
        def say():
            return "echo hello"

        say()
    """)

    ((kind, text),) = run.errors()
    assert kind == "ArmadaRefused"
    assert "say must return a command, a list of texts, not 'echo hello'" in text
