"""The identity of a job: the same for the same try, another for everything else."""

from __future__ import annotations

import re
from dataclasses import fields, replace

from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.tries.identity import JobIdentity, default_job_set_id

ids = st.text(min_size=1, max_size=250)
numbers = st.integers(min_value=0, max_value=10**9)
identities = st.builds(
    JobIdentity,
    dag_id=ids,
    run_id=ids,
    task_id=ids,
    map_index=st.integers(min_value=-1, max_value=10**9),
    try_number=numbers,
    resubmission=numbers,
    scope=st.text(max_size=50),
    loop=st.just("") | st.builds("{}.{}".format, st.uuids(), numbers),
)


@given(identities)
def test_client_id_fits_the_servers_limit_and_never_changes(identity: JobIdentity) -> None:
    again = replace(identity)

    assert identity.client_id == again.client_id
    assert len(identity.client_id.encode()) <= 100
    assert identity.client_id.isascii()


@given(identities)
def test_external_uri_fits_lookouts_column(identity: JobIdentity) -> None:
    assert len(identity.external_job_uri.encode()) <= 1024
    assert identity.external_job_uri.isascii()


@given(identities, identities)
def test_different_identities_never_share_an_id(one: JobIdentity, other: JobIdentity) -> None:
    assert (one.client_id == other.client_id) == (one == other)
    assert (one.external_job_uri == other.external_job_uri) == (one == other)


@given(identities, st.sampled_from([field.name for field in fields(JobIdentity)]))
def test_every_part_counts(identity: JobIdentity, part: str) -> None:
    value = getattr(identity, part)
    other = replace(identity, **{part: value + "x" if isinstance(value, str) else value + 1})

    assert other.client_id != identity.client_id
    assert other.external_job_uri != identity.external_job_uri


def test_parts_that_run_into_each_other_are_told_apart() -> None:
    one = JobIdentity("dag", "a/b", "c", -1, 1)
    other = JobIdentity("dag", "a", "b/c", -1, 1)

    assert one.client_id != other.client_id
    assert one.external_job_uri != other.external_job_uri


def test_values_are_stable_between_versions_of_the_provider() -> None:
    identity = JobIdentity("dag", "manual__2026-11-22T00:00:00+00:00", "task", -1, 2, 1)

    assert identity.client_id == "airflow-94b7d8799a0174fde9affb9adce1fc3102221b54b53a740527a62dd52078a4e6-2-1"
    assert identity.external_job_uri == "airflow:///dag/manual__2026-11-22T00%3A00%3A00%2B00%3A00/task/-1/2/1"


@given(identities)
def test_labels_are_valid_for_kubernetes(identity: JobIdentity) -> None:
    for name, value in identity.labels().items():
        prefix, _, key = name.partition("/")
        assert re.fullmatch(r"[a-z0-9.-]{1,253}", prefix)
        assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", key)
        assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?", value)


@given(ids)
def test_labels_of_different_dags_stay_apart(dag_id: str) -> None:
    label = JobIdentity(dag_id, "run", "task", -1, 1).labels()["airflow.apache.org/dag-id"]
    other = JobIdentity(dag_id + "_", "run", "task", -1, 1).labels()["airflow.apache.org/dag-id"]

    assert label != other


@given(ids, ids)
def test_job_set_is_the_dag_run(dag_id: str, run_id: str) -> None:
    job_set_id = default_job_set_id(dag_id, run_id)

    assert 0 < len(job_set_id.encode()) < 1024
    if len(f"{dag_id}.{run_id}".encode()) <= 1000:
        assert job_set_id == f"{dag_id}.{run_id}"


def test_long_runs_have_job_sets_of_their_own() -> None:
    one, other = default_job_set_id("d" * 250, "ä" * 999 + "1"), default_job_set_id("d" * 250, "ä" * 999 + "2")

    assert one != other
