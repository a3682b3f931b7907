"""Which try of which task runs, by Airflow's context."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from airflow_armada.tries.attempt import Attempt

REGION = UUID("01999999-0000-7000-8000-000000000001")


def attempt(context: dict[str, Any] | None = None, **ti: Any) -> Attempt:
    facts = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, "try_number": 1, "max_tries": 2}
    started = datetime(2026, 11, 27, tzinfo=UTC)
    return Attempt.of({"ti": SimpleNamespace(**(facts | {"start_date": started} | ti)), **(context or {})}, 2)


def client_ids(*attempts: Attempt) -> set[str]:
    return {one.identity().client_id for one in attempts}


def test_each_pass_of_a_dynamic_loop_is_another_task() -> None:
    passes = [
        attempt({"loop": SimpleNamespace(index=index)}, region_id=REGION, region_index=index) for index in range(3)
    ]

    assert len(client_ids(attempt(), *passes)) == 4


def test_a_mapped_task_in_a_loop_is_another_one_in_each_pass_and_for_each_index() -> None:
    expansions = [UUID(int=REGION.int + number) for number in (1, 2)]
    tasks = [
        attempt({"loop": SimpleNamespace(index=0)}, map_index=index, region_id=region, region_index=index)
        for region in expansions
        for index in range(2)
    ]

    assert len(client_ids(*tasks)) == 4


def test_outside_of_loops_an_identity_is_what_it_was_before_there_were_any() -> None:
    older = attempt(map_index=3)
    plain = attempt(region_id=UUID(int=0), region_index=-1)
    # Airflow 3.4 places what a mapped task expands to in a region, which a clear replaces.
    mapped = attempt(map_index=3, region_id=REGION, region_index=3)

    assert client_ids(older) == client_ids(mapped)
    assert client_ids(attempt()) == client_ids(plain)
