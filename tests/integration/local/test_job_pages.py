"""The pages of the embedded Armada's jobs, asked for as a browser does."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.jobs.job_forms import read_jobs
from airflow_armada.local.job_page import JobPages
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.components import wait_until

JOB = """
queue: q
jobSetId: set
jobs:
  - namespace: default
    podSpec:
      containers:
        - name: main
          image: busybox:1.37
          command: [sh, -c, 'echo "<b>loud</b>"; exit 3']
          resources: {requests: {cpu: 100m, memory: 32Mi}, limits: {cpu: 100m, memory: 32Mi}}
"""


@pytest.fixture(scope="module")
def armada() -> Iterator[StandaloneArmada]:
    with StandaloneArmada() as server:
        server.create_queue("q")
        yield server


@pytest.fixture(scope="module")
def pages(armada: StandaloneArmada) -> Iterator[JobPages]:
    with JobPages(armada.target) as pages:
        yield pages


def get(pages: JobPages, path: str, host: str = "") -> tuple[int, str]:
    place = urlsplit(pages.url).netloc
    connection = http.client.HTTPConnection(place, timeout=30)
    connection.request("GET", path, headers={"Host": host or place})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


@pytest.fixture(scope="module")
def job_id(armada: StandaloneArmada) -> str:
    with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
        client = ArmadaClient(channel)
        file = read_jobs(JOB, "a test")
        job_id = str(client.submit_jobs("q", "set", file.items).job_response_items[0].job_id)
        wait_until(lambda: client.get_job_details([job_id]).job_details.get(job_id), "the query service")
        wait_until(lambda: client.get_job_errors([job_id]).job_errors.get(job_id), "the end of the job")
    return job_id


def test_a_job_has_a_page_with_its_end_and_its_log(pages: JobPages, job_id: str) -> None:
    code, page = get(pages, f"/jobs/{job_id}")

    assert code == 200
    assert f"<h1>Job {job_id}</h1>" in page
    assert ">failed</span>" in page
    assert "exit code 3" in page
    assert "&lt;b&gt;loud&lt;/b&gt;" in page


@pytest.mark.parametrize("path", ["/", "/jobs/", "/jobs/01unknown", "/jobs/../etc/passwd", "/jobs/%2e%2e", "/other"])
def test_there_is_nothing_else(pages: JobPages, path: str) -> None:
    assert get(pages, path)[0] == 404


def test_a_name_of_another_site_that_leads_here_shows_nothing(pages: JobPages, job_id: str) -> None:
    assert get(pages, f"/jobs/{job_id}", host="evil.example")[0] == 404


def test_an_armada_that_has_gone_is_said(job_id: str) -> None:
    with StandaloneArmada() as server:
        target = server.target
    with JobPages(target) as pages:
        code, page = get(pages, f"/jobs/{job_id}")

    assert code == 502
    assert "Armada does not answer" in page
