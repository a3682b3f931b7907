"""What a job prints as its result is what its task returns, in both modes: on a real Airflow with ``dag.test()``."""

from __future__ import annotations

import threading

import grpc
import pytest

from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.operators.conftest import InlineAirflow
from tests.integration.standalone.api import mounts_work

pytestmark = pytest.mark.timeout(600)
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "blocking"])


@both_modes
@pytest.mark.parametrize("get_logs", [True, False], ids=["logs", "no-logs"])
def test_the_value_is_returned_and_its_line_not_shown(airflow: InlineAirflow, deferrable: bool, get_logs: bool) -> None:
    run = airflow.run(f"""
        script = '''echo before; echo '::armada-result::{{"rows": [1, 2]}}'; echo after'''
        sh("work", script, get_result=True, get_logs={get_logs}, deferrable={deferrable})
    """)

    assert run.state == "success"
    assert run.result("work") == {"rows": [1, 2]}
    assert run.pod_lines() == (["before", "after"] if get_logs else [])


def test_a_value_longer_than_what_one_log_line_may_hold(airflow: InlineAirflow) -> None:
    script = """printf '::armada-result::"%020000d"\\n' 7"""
    run = airflow.run(f"sh('work', r'''{script}''', get_result=True)")

    assert run.result("work") == f"{7:020000d}"
    assert run.pod_lines() == []


@both_modes
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("true", "succeeded, but the job printed no result; it must print a line ::armada-result::<JSON value>"),
        ("echo '::armada-result::{'", "succeeded, but the job's result is not JSON"),
        ("printf '::armada-result::%070000d\\n' 7", "succeeded, but the job's result is larger than 65536 bytes"),
        ("printf '::armada-result::\"\\351\"\\n'", "succeeded, but the job's result is not JSON: it must be UTF-8"),
        (
            "echo '::armada-result::[18446744073709551616]'",
            "cannot be carried by Airflow at [0]: a whole number",
        ),
    ],
)
def test_a_result_that_cannot_be_used_fails_the_task(
    airflow: InlineAirflow, deferrable: bool, script: str, message: str
) -> None:
    run = airflow.run(f'sh("work", r"""{script}""", get_result=True, deferrable={deferrable})')

    ((kind, text),) = run.errors()
    assert kind == "ArmadaResultError"
    assert message in text


def test_the_bytes_that_were_printed_count_and_the_nonce_outranks(airflow: InlineAirflow) -> None:
    script = """
        echo "::armada-result:$AIRFLOW_ARMADA_RESULT_NONCE::[\\"::group::\\"]"; echo ::armada-result::1
    """
    run = airflow.run(f"sh('work', r'''{script}''', get_result=True)")

    assert run.result("work") == ["::group::"]
    assert run.pod_lines() == ["::armada-result::1"]


@both_modes
def test_a_job_that_asks_for_it_skips_its_task(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f"""sh("work", "echo '::armada-skip::no data'", get_result=True, deferrable={deferrable})""")

    assert run.task("work")["state"] == "skipped"


@both_modes
def test_an_exception_that_the_job_reports_is_the_reason(airflow: InlineAirflow, deferrable: bool) -> None:
    script = """echo '::armada-error::{"type": "KeyError", "message": "no such day"}'; exit 1"""
    run = airflow.run(f"""sh("work", r'''{script}''', get_result=True, deferrable={deferrable})""")

    ((kind, text),) = run.errors()
    assert kind == "ArmadaJobFailed"
    assert "KeyError: no such day" in text


@both_modes
def test_a_site_without_a_log_service_is_told_before_anything_is_submitted(
    airflow: InlineAirflow, deferrable: bool
) -> None:
    run = airflow.run(f"""
        sh("work", "true", get_result=True, deferrable={deferrable}, armada_conn_id="armada_mute")
    """)

    ((kind, text),) = run.errors()
    assert kind == "ArmadaRefused"
    assert "get_result needs the job's log, but connection 'armada_mute' names no log service" in text
    assert "Submitted" not in run.messages()


@both_modes
def test_a_log_that_may_not_be_read_is_no_missing_result(
    airflow: InlineAirflow, armada: StandaloneArmada, deferrable: bool
) -> None:
    armada.faults.refuse("Logs", grpc.StatusCode.PERMISSION_DENIED, "no logs for you", times=None)
    try:
        dag = f"""sh("work", "echo '::armada-result::7'", get_result=True, deferrable={deferrable})"""
        run = airflow.run(dag, {"airflow_armada.follow.timings:DEFAULT": {"result_tail": 3.0}})
    finally:
        armada.faults.clear()

    ((kind, text),) = run.errors()
    assert kind == "ArmadaResultError"
    assert "succeeded, but its result cannot be read: " in text
    assert "no logs for you" in text


def test_a_service_that_refuses_for_a_while_is_waited_for(airflow: InlineAirflow, armada: StandaloneArmada) -> None:
    armada.faults.refuse("Logs", grpc.StatusCode.UNAVAILABLE, "no upstream", times=None)
    timer = threading.Timer(8, armada.faults.clear)
    timer.start()
    try:
        dag = """sh("work", "echo '::armada-result::7'", get_result=True, deferrable=False)"""
        run = airflow.run(dag, {"airflow_armada.follow.timings:DEFAULT": {"log_tail": 1.0}})
    finally:
        timer.cancel()
        armada.faults.clear()

    assert run.result("work") == 7


@both_modes
def test_a_result_becomes_an_xcom_for_each_of_its_keys(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f"""
        script = "echo '::armada-result::" + '{{"rows": 3, "path": "s3://b/k"}}' + "'"
        work = sh("work", script, get_result=True, multiple_outputs=True, deferrable={deferrable})

        @task
        def read(rows, path):
            return [rows, path]

        read(work.output["rows"], work.output["path"])
        facts = sh("facts", "true", multiple_outputs=True, deferrable={deferrable})
    """)

    assert run.state == "success"
    xcoms = run.task("work")["xcoms"]
    assert (xcoms["rows"], xcoms["path"]) == (3, "s3://b/k")
    assert xcoms["return_value"] == {"rows": 3, "path": "s3://b/k"}
    assert run.result("read") == [3, "s3://b/k"]
    assert run.task("facts")["xcoms"]["status"] == "succeeded"


@both_modes
@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("[1, 2]", "its result is no JSON object, as multiple_outputs needs it"),
        ('{"_link_LookoutLink": "javascript:alert(1)"}', "key '_link_LookoutLink', which is an XCom of the task's own"),
        ('{"armada_job": {}}', "key 'armada_job', which is an XCom of the task's own"),
    ],
)
def test_a_result_that_cannot_be_several_xcoms_is_none(
    airflow: InlineAirflow, deferrable: bool, value: str, says: str
) -> None:
    run = airflow.run(f"""
        sh("work", "echo '::armada-result::" + {value!r} + "'", get_result=True,
           multiple_outputs=True, deferrable={deferrable})
    """)

    ((kind, text),) = run.errors()
    assert kind == "ArmadaResultError"
    assert says in text
    assert "return_value" not in run.task("work")["xcoms"]


@both_modes
def test_a_function_with_several_outputs(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f"""
        @task.armada(**SMALL, deferrable={deferrable})
        def numbers() -> dict[str, int]:
            return {{"one": 1, "two": 2}}

        numbers()
    """)

    xcoms = run.task("numbers")["xcoms"]
    assert (xcoms["one"], xcoms["two"]) == (1, 2)


@pytest.mark.skipif(not mounts_work(), reason="this user cannot have mounts of its own")
@both_modes
def test_a_file_is_the_result_as_images_for_kubernetes_pods_write_it(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f"""
        file = "/airflow/xcom/return.json"
        script = '''echo '{{"rows": [1, 2]}}' > /airflow/xcom/return.json; echo written'''
        sh("work", script, get_result=True, result_file=file, deferrable={deferrable})
        sh("none", "true", get_result=True, result_file=file, deferrable={deferrable})
        sh("fails", script + "; exit 7", get_result=True, result_file=file, deferrable={deferrable})
    """)

    assert run.result("work") == {"rows": [1, 2]}
    assert run.task("none")["state"] == "success"
    assert run.pod_lines().count("written") == 2
    ((kind, text),) = run.errors()
    assert kind == "ArmadaJobFailed"
    assert text.startswith("Exit code 7")
