"""One job per try, whatever becomes of the answer to the submission."""

from __future__ import annotations

import grpc
import pytest

from tests.chaos.world import World

CODES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL)


@pytest.mark.parametrize("code", CODES, ids=[code.name for code in CODES])
def test_a_task_whose_submission_was_not_answered_has_one_job(world: World, code: grpc.StatusCode) -> None:
    world.armada.faults.forget_client_ids = True
    world.armada.faults.lose_response("SubmitJobs", code, times=2)

    run = world.start("plain", seconds={"work_deferred": 4, "work_blocking": 4})

    assert world.settle(run).problems == []
    assert [task["try_number"] for task in run.tasks()] == [1, 1]
