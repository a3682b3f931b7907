"""One job per try, whatever becomes of the answer to the submission."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.typings import JobState
from airflow_armada.jobs.build import build_request
from airflow_armada.jobs.job_spec import JobSpec
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.task.request.attempt import Attempt
from airflow_armada.task.request.identity import JobIdentity
from airflow_armada.task.submit.record import Journal
from airflow_armada.task.submit.submission import Submission
from tests.chaos.world import World
from tests.support.components import wait_until

CODES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED)
NAMES = [code.name for code in CODES]


@pytest.fixture
def armada() -> Iterator[StandaloneArmada]:
    with StandaloneArmada(cpus=8, memory="8Gi") as server:
        server.create_queue("chaos")
        yield server


class Store(dict[str, object]):
    """What outlives a try, as Airflow's task state store does."""

    def set(self, key: str, value: object) -> None:
        self[key] = value


def submission(
    client: ArmadaClient,
    started_at: float,
    *,
    number: int = 1,
    epoch: int = 0,
    store: Store | None = None,
    seconds: int = 30,
    killed: bool = False,
) -> Submission:
    attempt = Attempt("dag", "run", "task", -1, number, epoch, started_at)
    journal = Journal({"task_state_store": Store() if store is None else store})

    def build(identity: JobIdentity) -> object:
        spec = JobSpec(
            image="busybox:1.37",
            cmds=["sleep", str(seconds)],
            container_resources={"cpu": "50m", "memory": "16Mi"},
            client_id=identity.client_id,
            external_job_uri=identity.external_job_uri,
        )
        return build_request(spec).item

    return Submission(
        client,
        attempt,
        journal,
        queue="chaos",
        job_set_id="set",
        build=build,  # type: ignore[arg-type]
        killed=lambda: killed,
    )


def submit(armada: StandaloneArmada, started_at: float) -> str:
    with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
        return submission(ArmadaClient(channel), started_at).acquire().record.job_id


def test_a_task_that_was_killed_submits_nothing(armada: StandaloneArmada) -> None:
    with (
        open_channel(SiteSettings(target=armada.target, tls=None)) as channel,
        pytest.raises(AirflowException, match="killed before its job was submitted"),
    ):
        submission(ArmadaClient(channel), time.time(), killed=True).acquire()

    assert not armada.jobs


class GivenUp(Store):
    """The store of a try in whose place Airflow has put another."""

    def set(self, key: str, value: object) -> None:
        answer = {"status_code": 404, "detail": {"reason": "not_found", "message": "Task instance 01a not found"}}
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=answer))


def test_a_try_that_airflow_has_given_up_submits_nothing(armada: StandaloneArmada) -> None:
    with (
        open_channel(SiteSettings(target=armada.target, tls=None)) as channel,
        pytest.raises(AirflowException, match="given up this try"),
    ):
        submission(ArmadaClient(channel), time.time(), number=2, store=GivenUp()).acquire()

    assert not armada.jobs


def test_concurrent_submits_of_one_identity_make_one_job(armada: StandaloneArmada) -> None:
    now = time.time()
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: submit(armada, now), range(8)))

    assert len(armada.jobs) == 1
    assert ids == set(armada.jobs)


@pytest.mark.parametrize("losses", [1, 3])
@pytest.mark.parametrize("code", CODES, ids=NAMES)
def test_a_lost_answer_makes_no_second_job(armada: StandaloneArmada, code: grpc.StatusCode, losses: int) -> None:
    armada.faults.lose_response("SubmitJobs", code, times=losses)

    job_id = submit(armada, time.time())

    assert list(armada.jobs) == [job_id]


@pytest.mark.parametrize("code", CODES, ids=NAMES)
def test_a_lost_answer_makes_no_second_job_even_if_armada_forgets_the_first(
    armada: StandaloneArmada, code: grpc.StatusCode
) -> None:
    armada.faults.forget_client_ids = True
    armada.faults.query_lag = 2.0
    armada.faults.lose_response("SubmitJobs", code)

    job_id = submit(armada, time.time())

    assert list(armada.jobs) == [job_id]


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAUTHENTICATED, *CODES], ids=["UNAUTHENTICATED", *NAMES])
@pytest.mark.parametrize("method", ["GetJobStatus", "CancelJobs"])
def test_a_retry_waits_for_a_server_that_refuses_for_a_moment(
    armada: StandaloneArmada, method: str, code: grpc.StatusCode
) -> None:
    store, now = Store(), time.time()
    with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
        first = submission(ArmadaClient(channel), now, store=store).acquire()
        armada.faults.refuse(method, code, times=2)
        epoch = 1 if method == "CancelJobs" else 0  # a clear cancels, a retry asks
        second = submission(ArmadaClient(channel), now, number=2, epoch=epoch, store=store).acquire()

    assert second.adopted == (epoch == 0)
    assert len(armada.jobs) == (1 if second.adopted else 2)
    assert (first.record.job_id == second.record.job_id) == second.adopted


def test_a_clear_cancels_nothing_that_has_succeeded(armada: StandaloneArmada) -> None:
    store, now = Store(), time.time()
    with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
        client = ArmadaClient(channel)
        first = submission(client, now, store=store, seconds=0).acquire().record.job_id
        wait_until(
            lambda: JobState(client.get_job_status([first]).job_states[first]) == JobState.SUCCEEDED,
            "the job's end",
            30,
        )
        second = submission(client, now, number=2, epoch=1, store=store).acquire()

    assert not second.adopted
    assert armada.calls["CancelJobs"] == 0


@pytest.mark.parametrize("code", CODES[:2], ids=NAMES[:2])
def test_a_task_whose_submission_was_not_answered_has_one_job(world: World, code: grpc.StatusCode) -> None:
    world.armada.faults.forget_client_ids = True
    world.armada.faults.lose_response("SubmitJobs", code, times=2)

    run = world.start("plain", seconds={"work_deferred": 4, "work_blocking": 4})

    assert world.settle(run).problems == []
    assert [task["try_number"] for task in run.tasks()] == [1, 1]
