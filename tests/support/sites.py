"""Sites with every kind of door."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.certificates import Certificates
from tests.support.oidc import OidcProvider, oidc_provider

SCRIPT = f"""
queue: q
jobSetId: set
jobs:
- namespace: default
  priority: 1
  podSpec:
    containers:
    - name: main
      image: busybox
      command: [{sys.executable}, -c, "print('hello from the job')"]
      resources: {{requests: {{cpu: 100m, memory: 64Mi}}, limits: {{cpu: 100m, memory: 64Mi}}}}
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider(tokenLifetime=60) as running:
        yield running


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.make(tmp_path)


@pytest.fixture
def armada() -> Iterator[StandaloneArmada]:
    with StandaloneArmada(credentials=Credentials(anonymous=True)) as server:
        server.create_queue("q")
        yield server


def plain(server: StandaloneArmada, **settings: object) -> SiteSettings:
    """Settings for an embedded server, with the log service that it is itself."""
    values = {"tls": None, "allow_plaintext_credentials": True, "binoculars": server.target, **settings}
    return SiteSettings(target=server.target, **values)  # type: ignore[arg-type]


def health(settings: SiteSettings) -> int:
    """Call the server as its clients do, and return how it is."""
    with ArmadaClient(open_channel(settings), retry_timeout=0) as client:
        return client.submit_health().status


SERVING = 1
