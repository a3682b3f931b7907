"""The log service, with the limits of Kubernetes and Binoculars."""

from __future__ import annotations

import re
from collections.abc import Iterator

import grpc
import pytest

from airflow_armada.api import methods
from airflow_armada.standalone.config import Retention
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import QUEUE, Armada, container, job, shell, wait_until

LOGS = methods.Binoculars.LOGS


def ended(armada: Armada, *containers: object, **fields: object) -> str:
    """Run a job to its end and return its id."""
    (job_id,) = armada.submit(job(*containers, **fields))
    armada.end_of(job_id)
    return job_id


def test_both_output_streams_are_kept_in_order_with_nanosecond_times(armada: Armada) -> None:
    job_id = ended(armada, shell("echo one; echo two >&2; echo; printf three"))

    lines = armada.log(job_id)

    assert [line.line for line in lines] == [b"one", b"two", b"", b"three"]
    stamps = [line.timestamp for line in lines]
    assert stamps == sorted(set(stamps))
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", stamp) for stamp in stamps)


def test_lines_of_a_running_job_can_be_read(armada: Armada) -> None:
    (job_id,) = armada.submit(job(shell("echo early; sleep 1000")))
    armada.events_until(job_id, "running")

    wait_until(lambda: armada.text(job_id) == "early")


def test_since_time_counts_whole_seconds(armada: Armada) -> None:
    job_id = ended(armada, shell("echo one; sleep 1.1; echo two; echo three"))
    first, second, third = armada.log(job_id)

    again = armada.log(job_id, since=third.timestamp)

    assert second in again
    assert third in again
    assert first not in again


@pytest.mark.parametrize("since", ["yesterday", "2026-13-45T00:00:00Z", "9999-01-01"])
def test_a_since_time_that_cannot_be_read_gives_the_whole_log(armada: Armada, since: str) -> None:
    job_id = ended(armada, shell("echo one; echo two"))

    assert len(armada.log(job_id, since=since)) == 2


def test_tail_lines(armada: Armada) -> None:
    job_id = ended(armada, shell("seq 5"))

    assert armada.text(job_id, tailLines=2) == "4\n5"
    assert armada.text(job_id, tailLines=0) == ""


def test_a_page_is_two_million_bytes_from_the_start_with_its_last_line_cut(armada: Armada) -> None:
    job_id = ended(armada, shell("seq -f %0999.0f 3000"))

    page = armada.log(job_id)

    assert sum(len(line.timestamp) + 1 + len(line.line) + 1 for line in page) in range(1_999_000, 2_000_002)
    assert all(len(line.line) == 999 for line in page[:-1])
    assert int(page[-2].line) == len(page) - 1
    following = armada.log(job_id, since=page[-2].timestamp)
    assert following[0].timestamp <= page[-2].timestamp


def test_bytes_that_are_not_utf_8_pass_through(armada: Armada) -> None:
    job_id = ended(armada, shell(r"printf '\377\376\n'"))

    assert [line.line for line in armada.log(job_id)] == [b"\xff\xfe"]


def test_missing_log_options_make_the_server_panic(armada: Armada) -> None:
    job_id = ended(armada, container("true"))

    code, text = armada.refused(LOGS, job_id=job_id, pod_namespace="default")

    assert code == grpc.StatusCode.INTERNAL
    assert "nil pointer" in text


def test_the_namespace_has_to_be_the_jobs_own(armada: Armada) -> None:
    job_id = ended(armada, shell("echo here"), namespace="lab")

    assert armada.text(job_id, namespace="lab") == "here"
    assert armada.log_code(job_id, namespace="") == grpc.StatusCode.NOT_FOUND


def test_one_of_several_containers_has_to_be_named(armada: Armada) -> None:
    job_id = ended(armada, shell("echo a", name="a"), shell("echo b", name="b"))

    code, text = armada.refused(LOGS, job_id=job_id, log_options={})

    assert code == grpc.StatusCode.UNKNOWN
    assert f"a container name must be specified for pod armada-{job_id}-0, choose one of: [a b]" in text
    assert armada.text(job_id, container="b") == "b"


def test_an_unknown_container_is_refused(armada: Armada) -> None:
    job_id = ended(armada, container("true"))

    code, text = armada.refused(LOGS, job_id=job_id, log_options={"container": "other"})

    assert (code, "container other is not valid" in text) == (grpc.StatusCode.UNKNOWN, True)


def test_there_is_no_previous_container(armada: Armada) -> None:
    job_id = ended(armada, container("true"))

    code, text = armada.refused(LOGS, job_id=job_id, log_options={"previous": True})

    assert (code, "previous terminated container" in text) == (grpc.StatusCode.UNKNOWN, True)


def test_a_container_that_waits_for_the_init_containers_has_no_log_yet(armada: Armada) -> None:
    (job_id,) = armada.submit(
        job(container("true"), pod={"initContainers": [shell("echo up; sleep 1000", name="setup")]})
    )
    armada.events_until(job_id, "pending")

    code, text = armada.refused(LOGS, job_id=job_id, log_options={"container": "main"})

    assert code == grpc.StatusCode.UNKNOWN
    assert "is waiting to start: PodInitializing" in text
    wait_until(lambda: armada.log_code(job_id, container="setup") == grpc.StatusCode.OK)


def test_a_queued_job_has_no_pod(armada: Armada) -> None:
    armada.call(methods.QueueService.CORDON_QUEUE, name=QUEUE)
    (job_id,) = armada.submit(job(container("true")))

    assert armada.log_code(job_id) == grpc.StatusCode.NOT_FOUND


@pytest.fixture
def tidy() -> Iterator[Armada]:
    """Calls to a server that deletes ended pods at once."""
    with StandaloneArmada(retention=Retention(pods=0.0)) as server:
        server.create_queue(QUEUE)
        yield Armada(server.target)


def test_an_ended_pod_goes_away_with_its_log(tidy: Armada) -> None:
    job_id = ended(tidy, shell("echo gone"))

    wait_until(lambda: tidy.log_code(job_id) == grpc.StatusCode.NOT_FOUND)


def test_the_only_node_cannot_be_cordoned(armada: Armada) -> None:
    code, _ = armada.refused(methods.Binoculars.CORDON, node_name="standalone-node")

    assert code == grpc.StatusCode.UNKNOWN
