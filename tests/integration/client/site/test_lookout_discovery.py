"""A connection that knows nothing but Lookout's address: server and log service are found, and jobs run."""

from __future__ import annotations

import json

from airflow.sdk import Connection

from airflow_armada.client.site.diagnose import diagnose
from airflow_armada.hooks.settings import site_settings
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.certificates import Certificates, tls_proxy
from tests.support.following import followed, submitted
from tests.unit.client.site.test_lookout_discovery import lookout


def published(target: str) -> bytes:
    """Return what Lookout gives to browsers: the addresses of HTTP gateways, which share their ports with gRPC."""
    addresses = {"armadaApiBaseUrl": f"https://{target}/api", "binocularsBaseUrlPattern": f"https://{target}"}
    return f"window.__LOOKOUT_UI_CONFIG__ = {json.dumps(addresses)};".encode()


def test_a_job_runs_at_a_site_that_is_known_by_its_lookout(
    armada: StandaloneArmada, certificates: Certificates
) -> None:
    with (
        tls_proxy(armada.target, certificates.server("localhost")) as target,
        lookout(200, published(target)) as lookout_url,
    ):
        extra = {"lookout_url": lookout_url, "ca_file": str(certificates.ca_file)}
        settings = site_settings(Connection(conn_id="c", conn_type="armada", extra=json.dumps(extra)))

        assert (settings.target, settings.binoculars) == (target, target)
        assert diagnose(settings, "q").ok
        assert followed(settings, submitted(settings, "print('found')")) == ("succeeded", ["found"])
        assert settings.job_url("j") == f"{lookout_url}jobs/j"
