"""How a job ends is how its task ends, in both modes: on a real Airflow with ``dag.test()``."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.typings import JobState
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.operators.conftest import LOOKOUT, InlineAirflow
from tests.support.components import wait_until

pytestmark = pytest.mark.timeout(600)
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "blocking"])


@both_modes
def test_success_returns_the_facts_of_the_run(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f'sh("work", "echo one; echo two", deferrable={deferrable})')

    result = run.result("work")
    assert run.state == "success"
    assert result["status"] == "succeeded"
    assert result["queue"] == "research"
    assert result["job_set_id"] == f"{run.dag_id}.{run.run_id}"
    assert result["cluster"] == "standalone"
    assert result["node"]
    assert result["lookout_url"] == f"{LOOKOUT}/jobs/{result['job_id']}"
    assert result["submitted_at"] <= result["running_at"] <= result["finished_at"]
    assert run.pod_lines() == ["one", "two"]


@both_modes
def test_the_job_is_known_to_others_as_soon_as_it_is_submitted(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f'sh("work", "exit 1", deferrable={deferrable})')

    xcoms = run.task("work")["xcoms"]
    assert xcoms["armada_job"]["queue"] == "research"
    assert xcoms["armada_job"]["job_id"]
    assert xcoms["_link_LookoutLink"] == f"{LOOKOUT}/jobs/{xcoms['armada_job']['job_id']}"


@both_modes
def test_links_of_the_author_lead_to_the_job_and_to_where_it_ran(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f"""
        links = {{"Grafana": "https://g/{{{{ task.task_id }}}}?job={{job_id}}", "Node": "https://n/{{cluster}}/{{node}}"}}
        page = "https://pages/<job_id>"
        sh("work", "exit 1", deferrable={deferrable}, extra_links=links, lookout_url_template=page)
        sh("never", "true", deferrable={deferrable}, extra_links=links, node_selector={{"a": "b"}}, queued_timeout=1)
    """)

    xcoms, never = run.task("work")["xcoms"], run.task("never")["xcoms"]
    job_id = xcoms["armada_job"]["job_id"]
    assert xcoms["armada_grafana_url"] == f"https://g/work?job={job_id}"
    assert xcoms["armada_node_url"].startswith("https://n/standalone/")
    assert xcoms["_link_LookoutLink"] == xcoms["armada_job"]["lookout_url"] == f"https://pages/{job_id}"
    assert "armada_node_url" not in never
    assert "armada_grafana_url" in never


@both_modes
def test_dags_that_read_what_the_published_operator_leaves_find_it(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f"""
        links = {{"Grafana": "https://g/{{job_id}}"}}
        sh("work", "true", deferrable={deferrable}, extra_links=links, armada_compat_xcom=True)
        sh("fails", "exit 1", deferrable={deferrable}, armada_compat_xcom=True)
    """)

    result, xcoms = run.result("work"), run.task("work")["xcoms"]
    job_id = xcoms["armada_job"]["job_id"]
    expected = {"armada_queue": "research", "job_id": job_id, "job_state": "SUCCEEDED"}
    assert expected.items() <= result.items()
    assert result["links"] == {"lookout": f"{LOOKOUT}/jobs/{job_id}", "Grafana": f"https://g/{job_id}"}
    assert xcoms["armada_lookout_url"] == f"{LOOKOUT}/jobs/{job_id}"
    assert xcoms["job_context"]["armada_job_id"] == job_id
    assert xcoms["job_context"]["armada_job_state"] == "SUCCEEDED"
    assert run.task("fails")["xcoms"]["job_context"]["armada_job_state"] == "FAILED"


@both_modes
def test_failure_says_what_happened_with_the_last_lines(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f'sh("work", "echo fine; echo broken; exit 3", deferrable={deferrable})')

    ((kind, text),) = run.errors()
    assert run.state == "failed"
    assert kind == "ArmadaJobFailed"
    first, *rest = text.splitlines()
    assert first.startswith("Exit code 3")
    assert rest[:3] == ["Last log lines:", "  fine", "  broken"]


@both_modes
def test_the_end_of_a_failed_job_is_an_error_line(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f'sh("work", "exit 3", deferrable={deferrable})')

    levels = [(" failed" in record["event"], record["level"]) for record in run.log if _tells_of_job(record)]
    assert levels[-1] == (True, "error")
    assert set(levels[:-1]) <= {(False, "info")}


@both_modes
def test_nothing_of_the_job_is_told_before_the_task_says_what_it_does(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f'sh("work", "true", deferrable={deferrable})')

    lines = sorted((record["timestamp"], record["event"]) for record in run.log if "event" in record)
    submitting = next(at for at, text in lines if text == "Submitting a job to queue research")
    told = [at for at, text in lines if text.startswith(("Job ", "Submitted Armada job"))]
    assert told
    assert submitting < min(told)


@both_modes
def test_too_much_memory_is_told_with_the_limit_that_was_asked_for(airflow: InlineAirflow, deferrable: bool) -> None:
    eat = "python3 -c \"x = bytearray(b'x') * (300 << 20); import time; time.sleep(60)\""
    run = airflow.run(f'sh("work", {eat!r}, deferrable={deferrable})')

    ((kind, text),) = run.errors()
    assert kind == "ArmadaJobOutOfMemory"
    assert text.splitlines()[0] == "Out of memory at the limit of 32Mi (exit code 137, SIGKILL)"


def _tells_of_job(record: dict[str, Any]) -> bool:
    return record.get("logger") == "armada.job" and str(record["event"]).startswith("Job ")


@both_modes
def test_an_exit_code_may_skip_the_task(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f'sh("work", "exit 99", deferrable={deferrable}, retries=1, skip_on_exit_code=[98, 99])')

    assert run.task("work")["state"] == "skipped"
    assert run.task("work")["try_number"] == 1


@both_modes
def test_a_rejected_job_is_not_tried_again(airflow: InlineAirflow, deferrable: bool) -> None:
    big = '{"cpu": "1000", "memory": "32Mi"}'
    run = airflow.run(
        f'sh("work", "true", container_resources={big}, deferrable={deferrable}, retries=2, retry_delay=timedelta(0))'
    )

    ((kind, text),) = run.errors()
    assert kind == "ArmadaJobRejected"
    assert "Rejected by the scheduler" in text
    assert run.task("work")["try_number"] == 1


@both_modes
def test_a_failed_job_is_tried_again_as_another_job(
    airflow: InlineAirflow, armada: StandaloneArmada, deferrable: bool
) -> None:
    before = armada.calls["/api.Submit/SubmitJobs"]
    script = "echo try $TRY; test $TRY = 2"
    run = airflow.run(
        f'sh("work", "{script}", env_vars={{"TRY": "{{{{ ti.try_number }}}}"}}, deferrable={deferrable},'
        " retries=1, retry_delay=timedelta(0))"
    )

    assert run.state == "success"
    assert run.task("work")["try_number"] == 2
    assert run.pod_lines() == ["try 1", "try 2"]
    assert armada.calls["/api.Submit/SubmitJobs"] == before + 2


def test_out_of_time_means_cancelled_and_what_airflow_users_expect(
    airflow: InlineAirflow, client: ArmadaClient
) -> None:
    run = airflow.run('sh("work", "sleep 600", execution_timeout=timedelta(seconds=3))')

    ((kind, text),) = run.errors()
    assert kind == "ArmadaJobTimedOut"
    assert "execution_timeout" in text
    assert "execution_timeout has passed" in run.messages()
    assert _end(client, run.task("work")) == JobState.CANCELLED


def test_out_of_time_on_the_worker_cancels_once(
    airflow: InlineAirflow, armada: StandaloneArmada, client: ArmadaClient
) -> None:
    before = armada.calls["/api.Submit/CancelJobs"]
    run = airflow.run('sh("work", "sleep 600", execution_timeout=timedelta(seconds=3), deferrable=False)')

    ((kind, _),) = run.errors()
    assert kind == "ArmadaJobTimedOut"
    assert _end(client, run.task("work")) == JobState.CANCELLED
    assert armada.calls["/api.Submit/CancelJobs"] == before + 1


@both_modes
def test_a_job_that_waits_too_long_in_its_queue_is_cancelled(
    airflow: InlineAirflow, client: ArmadaClient, deferrable: bool
) -> None:
    client.cordon_queue("research")
    try:
        run = airflow.run(f'sh("work", "true", queued_timeout=2, deferrable={deferrable})')
    finally:
        client.uncordon_queue("research")

    ((kind, text),) = run.errors()
    assert kind == "ArmadaJobQueuedTooLong"
    assert "queued_timeout" in text
    assert _end(client, run.task("work")) == JobState.CANCELLED


@both_modes
def test_a_job_whose_gang_is_incomplete_says_so(airflow: InlineAirflow, deferrable: bool) -> None:
    gang = f'gang_id="trio-{deferrable}", gang_cardinality=3'
    run = airflow.run(f'sh("work", "true", queued_timeout=3, {gang}, deferrable={deferrable})')

    ((kind, text),) = run.errors()
    assert kind == "ArmadaJobQueuedTooLong"
    assert "it is one of a gang of 3, of which none starts before all have been submitted" in text


def test_without_waiting_the_task_ends_with_the_submission(airflow: InlineAirflow) -> None:
    run = airflow.run('sh("work", "sleep 1", wait_for_completion=False)')

    assert run.state == "success"
    assert set(run.result("work")) == {"job_id", "queue", "job_set_id", "lookout_url", "resubmissions"}


@both_modes
def test_without_logs_no_log_call_is_made(airflow: InlineAirflow, armada: StandaloneArmada, deferrable: bool) -> None:
    before = armada.calls["/binoculars.Binoculars/Logs"]
    run = airflow.run(f'sh("work", "echo hidden", get_logs=False, deferrable={deferrable})')

    assert run.state == "success"
    assert run.pod_lines() == []
    assert armada.calls["/binoculars.Binoculars/Logs"] == before


@both_modes
def test_output_is_shown_as_it_is(airflow: InlineAirflow, deferrable: bool) -> None:
    script = "echo '100%s {braces} %(name)s'; echo same; echo same; echo grüße"
    run = airflow.run(f'sh("work", "{script}", deferrable={deferrable})')

    assert run.pod_lines() == ["100%s {braces} %(name)s", "same", "same", "grüße"]


def test_a_task_that_is_killed_before_its_operator_runs_submits_nothing(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        sh("work", "true", pre_execute=lambda context: context["task"].on_kill())
    """)

    ((_, text),) = run.errors()
    assert text == "The task was killed before its job was submitted"
    assert "Submitted" not in run.messages()


def test_mapped_tasks_share_the_job_set(airflow: InlineAirflow) -> None:
    run = airflow.run(
        """
        ArmadaOperator.partial(task_id="work", cmds=["echo"], **SMALL).expand(arguments=[["a"], ["b"], ["c"]])
        """
    )

    assert run.state == "success"
    assert sorted(run.pod_lines()) == ["a", "b", "c"]
    assert len({run.result("work", index)["job_set_id"] for index in range(3)}) == 1
    assert len({run.result("work", index)["job_id"] for index in range(3)}) == 3


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ('armada_queue="nowhere"', "ArmadaRefused", "queue"),
        ('annotations={"armadaproject.io/priceBand": "{{ dag.dag_id }}"}', "ArmadaRefused", "priceBand"),
        ('armada_conn_id="armada_broken"', "ArmadaRefused", "'tls' must be true or false"),
        ('pod_spec=lambda context: {"containers": [{"nmae": "x"}]}', "ArmadaRefused", "nmae"),
        ('armada_conn_id="armada_missing"', "ArmadaRefused", "armada_missing"),
    ],
)
def test_what_cannot_work_is_one_clear_line_and_no_second_try(
    airflow: InlineAirflow, arguments: str, kind: str, says: str
) -> None:
    run = airflow.run(f'sh("work", "true", **{{**SMALL, **dict({arguments})}}, retries=2)')

    ((found, text),) = run.errors()
    assert found == kind
    assert says in text
    assert "\n" not in text
    assert run.task("work")["try_number"] == 1


def test_an_unreachable_server_is_waited_for_and_the_log_says_so(airflow: InlineAirflow) -> None:
    run = airflow.run('sh("work", "true", armada_conn_id="armada_nowhere", execution_timeout=timedelta(seconds=5))')

    ((kind, _),) = run.errors()
    assert kind == "AirflowTaskTimeout"
    assert "127.0.0.1:1" in run.messages()


def _end(client: ArmadaClient, task: dict[str, Any]) -> JobState:
    """Return how Armada ended the job of a task; a cancel takes effect a moment after it was asked for."""
    job_id = task["xcoms"]["armada_job"]["job_id"]

    def state() -> JobState:
        return JobState(client.get_job_status([job_id]).job_states[job_id])

    wait_until(lambda: state() in (JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED), "the job's end", 30)
    return state()
