"""Manifests of many kinds: each converts and passes the checks, or fails with the message that its first line names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_armada.jobs.build import build_request
from airflow_armada.jobs.checks.check import request_problems
from airflow_armada.jobs.job_forms import read_jobs
from airflow_armada.jobs.job_spec import JobSpec
from airflow_armada.jobs.problems import InvalidJob, raise_if_any
from airflow_armada.jobs.render import render_request

CORPUS = sorted((Path(__file__).parents[2] / "corpus").glob("*.yaml"))


def header(text: str, name: str) -> str:
    match = re.search(rf"^# {name}: (.+)$", text, re.MULTILINE)
    return match[1] if match else ""


def requests(text: str) -> list[object]:
    file = read_jobs(text, "file")
    made = [build_request(JobSpec(job_request=item)).item for item in file.items]
    raise_if_any(request_problems(made, file.queue or None, file.job_set_id or None))
    return list(made)


def test_there_are_enough_of_them() -> None:
    assert len(CORPUS) >= 40


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_a_manifest(path: Path) -> None:
    text = path.read_text()
    expected = header(text, "expect")
    if expected == "ok":
        assert len(requests(text)) == int(header(text, "jobs") or 1)
    else:
        with pytest.raises(InvalidJob) as raised:
            requests(text)
        assert expected.removeprefix("error: ") in str(raised.value)


@pytest.mark.parametrize(
    "path", [p for p in CORPUS if header(p.read_text(), "expect") == "ok"], ids=lambda path: path.stem
)
def test_what_is_rendered_is_the_same_job(path: Path) -> None:
    made = requests(path.read_text())
    rendered = render_request(made, "q", "s")  # type: ignore[arg-type]
    assert read_jobs(rendered, "rendered").items == made


def test_queue_and_job_set_of_a_submit_file() -> None:
    path = next(path for path in CORPUS if path.stem == "armadactl-simple")
    file = read_jobs(path.read_text(), "file")
    assert (file.queue, file.job_set_id) == (header(path.read_text(), "queue"), header(path.read_text(), "job set"))


def test_a_rendered_job_is_readable() -> None:
    item = build_request(JobSpec(image="alpine", cmds=["sh", "-c", "echo a\necho b\n"], env_vars={"N": "1"})).item
    assert render_request([item], "q", "s") == (
        "queue: q\n"
        "jobSetId: s\n"
        "jobs:\n"
        "- namespace: default\n"
        "  podSpec:\n"
        "    containers:\n"
        "    - name: base\n"
        "      image: alpine\n"
        "      command:\n"
        "      - sh\n"
        "      - -c\n"
        "      - |\n"
        "        echo a\n"
        "        echo b\n"
        "      env:\n"
        "      - name: N\n"
        "        value: '1'\n"
        "      resources:\n"
        "        limits:\n"
        "          cpu: '1'\n"
        "          memory: 1Gi\n"
        "        requests:\n"
        "          cpu: '1'\n"
        "          memory: 1Gi\n"
    )
