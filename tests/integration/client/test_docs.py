"""The examples of ``docs/client.md``, as they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_armada.standalone.server import StandaloneArmada

PAGE = Path(__file__).resolve().parents[3] / "docs" / "client.md"


@pytest.fixture(scope="module")
def armada() -> Iterator[StandaloneArmada]:
    with StandaloneArmada() as running:
        running.create_queue("research")
        yield running


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    """What the page's blocks define."""
    names: dict[str, Any] = {"__name__": "docs.client"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(block, names)  # our own page
    return names


def test_submitting_and_watching(armada: StandaloneArmada, example: dict[str, Any]) -> None:
    told = example["submit_and_wait"](armada.target, "research", "docs-watch")

    assert told[0] == "submitted"
    assert told[-1] == "succeeded"


async def test_states_in_asyncio_and_the_log(armada: StandaloneArmada, example: dict[str, Any]) -> None:
    example["submit_and_wait"](armada.target, "research", "docs-log")
    job_id = max(armada.jobs)

    states = await example["states"](armada.target, [job_id])
    lines = example["log_of"](armada.target, job_id)

    assert states == {job_id: example["submit_pb2"].SUCCEEDED}
    assert lines == ["hello"]
