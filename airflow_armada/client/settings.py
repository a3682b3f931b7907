"""Where an Armada site is and how to reach it: plain, hashable values without any grpc import."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NoReturn
from urllib.parse import quote

from airflow_armada.client.address import check_target, check_web_address, cluster_target
from airflow_armada.client.auth.credentials import Anonymous, Credentials
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.job_defaults import NO_DEFAULTS, JobDefaults


@dataclass(frozen=True)
class TlsSettings:
    """How to verify a server, and what to show it when it asks.

    :param ca_file: path of a PEM bundle to trust instead of the system's roots
    :param cert_file: path of a PEM client certificate, for an ingress that wants one; needs ``key_file``
    :param key_file: path of the PEM key of that certificate
    :param server_name: the name to verify (and to send as authority) where it differs from the address
    :raises SettingsError: when only one of certificate and key is given
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""

    def __post_init__(self) -> None:
        if bool(self.cert_file) != bool(self.key_file):
            raise SettingsError("a client certificate needs both cert_file and key_file; only one of them is set")


@dataclass(frozen=True)
class SiteSettings:
    """Everything that is needed to reach one Armada site. Equal settings share channels and watches.

    :param target: ``host:port`` of the Armada server's gRPC port
    :param tls: how to verify the server; None means plain text
    :param credentials: what to authenticate with
    :param allow_plaintext_credentials: send credentials even though the connection is plain text
    :param lookout_url: base URL of the Lookout UI, for links; empty for none
    :param binoculars: ``host:port`` of the log service, may contain ``{CLUSTER_ID}``; empty when there is none
    :param binoculars_by_cluster: (cluster id, ``host:port``) pairs that go before the template
    :param binoculars_tls: TLS of the log services; ``"same"`` as the server's by default, None for plain text
    :param call_timeout: s, the deadline of one attempt of a call
    :param command_timeout: s, the deadline of calls that submit, cancel, preempt or reprioritize, which the server
        answers only when its message bus has taken them
    :param keepalive_time: s between keepalive pings to the server, which tolerates one every 10 s; 0 for none
    :param use_proxy: honour ``http_proxy``, ``https_proxy`` and ``no_proxy`` of the environment
    :param defaults: what jobs get where nobody says so; two sites are the same whatever it is
    :raises SettingsError: when an address or a number cannot be right
    """

    target: str
    tls: TlsSettings | None = TlsSettings()
    credentials: Credentials = field(default_factory=Anonymous)
    allow_plaintext_credentials: bool = False
    lookout_url: str = ""
    binoculars: str = ""
    binoculars_by_cluster: tuple[tuple[str, str], ...] = ()
    binoculars_tls: TlsSettings | Literal["same"] | None = "same"
    call_timeout: float = 10.0
    command_timeout: float = 240.0
    keepalive_time: float = 30.0
    use_proxy: bool = True
    defaults: JobDefaults = field(default=NO_DEFAULTS, compare=False)

    def __post_init__(self) -> None:
        check_target(self.target, "the address of the Armada server")
        if self.binoculars:
            check_target(self.binoculars, "the address of the log service")
        for cluster, address in self.binoculars_by_cluster:
            check_target(address, f"the address of the log service of cluster {cluster!r}")
        if self.lookout_url:
            check_web_address(self.lookout_url, "the Lookout URL")
        for name in ("call_timeout", "command_timeout"):
            if getattr(self, name) <= 0:
                raise SettingsError(f"{name} must be more than 0 seconds, not {getattr(self, name)}")
        if self.keepalive_time < 0:
            raise SettingsError(f"keepalive_time must not be negative: {self.keepalive_time}")

    def serialize(self) -> NoReturn:
        """Refuse to become an XCom, which Airflow asks for by this name."""
        raise TypeError("the settings of a site are not stored: they may hold secrets")

    @property
    def log_tls(self) -> TlsSettings | None:
        """The TLS settings of the log services."""
        return self.tls if self.binoculars_tls == "same" else self.binoculars_tls

    def binoculars_target(self, cluster_id: str) -> str:
        """Return the ``host:port`` of a cluster's log service, or "" when none is known.

        :param cluster_id: as events and run details name the cluster; one that does not fit into the template's
            host has no log service unless ``binoculars_by_cluster`` names it
        """
        return dict(self.binoculars_by_cluster).get(cluster_id) or cluster_target(self.binoculars, cluster_id)

    def job_url(self, job_id: str) -> str:
        """Return the Lookout page of a job, or "" without a Lookout.

        :param job_id: id of the job
        """
        return f"{self.lookout_url.rstrip('/')}/jobs/{quote(job_id, safe='')}" if self.lookout_url else ""
