"""What Lookout publishes about its site: where the API and the log services are. Imports neither grpc nor Airflow."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from airflow_armada.client.address import DEFAULT_PORT, check_web_address
from airflow_armada.client.auth.http_request import exchange
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.settings import SiteSettings, TlsSettings

PATH = "/lookout-ui-config.js"


@dataclass(frozen=True)
class LookoutConfig:
    """
    The addresses that Lookout's browser application uses. They are HTTP gateways; gRPC usually shares their host.

    :param armada_api: base URL of the Armada server's HTTP gateway, "" when not published
    :param binoculars: base URL of the log services, may contain ``{CLUSTER_ID}``; "" when not published
    """

    armada_api: str = ""
    binoculars: str = ""

    @property
    def armada_target(self) -> str:
        """The ``host:port`` where the server's gRPC most likely is, "" when not published."""
        return _grpc_target(self.armada_api)

    @property
    def binoculars_target(self) -> str:
        """The ``host:port`` template where the log services' gRPC most likely is, "" when not published."""
        return _grpc_target(self.binoculars)


def read_config(lookout_url: str, *, ca_file: str = "", timeout: float = 10.0, use_proxy: bool = True) -> LookoutConfig:
    """
    Read the configuration that Lookout gives to every browser, without authentication.

    :param lookout_url: base URL of Lookout
    :param ca_file: PEM bundle to trust instead of the system's roots
    :param timeout: s
    :param use_proxy: honour the environment's proxies
    :raises SettingsError: when there is no Lookout at that address
    """
    url = lookout_url.rstrip("/") + PATH
    status, body = exchange(url, ca_file=ca_file, timeout=timeout, use_proxy=use_proxy)
    if status != 200:
        raise SettingsError(f"{url} answered HTTP {status}: check the Lookout URL")
    return parse_config(body, url)


def parse_config(body: bytes, url: str) -> LookoutConfig:
    """
    Read the text of ``lookout-ui-config.js``: a script that assigns one JSON object.

    :param body: what the address answered
    :param url: the address, for errors
    :raises SettingsError: when it is something else
    """
    text = body.decode("utf-8", "replace")
    name, _, value = text.partition("=")
    try:
        config = json.loads(value.strip().removesuffix(";")) if "LOOKOUT_UI_CONFIG" in name else None
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise SettingsError(f"{url} is not the configuration of a Lookout: check the Lookout URL")
    return LookoutConfig(_address(config, "armadaApiBaseUrl", url), _address(config, "binocularsBaseUrlPattern", url))


def discovered(settings: SiteSettings, config: LookoutConfig) -> SiteSettings:
    """
    Complete settings with what Lookout publishes; what they say already is kept.

    :param settings: settings without an address of the log services
    :param config: see :func:`read_config`
    """
    if settings.binoculars or settings.binoculars_by_cluster or not config.binoculars:
        return settings
    tls = _tls(config.binoculars, settings)
    return replace(settings, binoculars=config.binoculars_target, binoculars_tls=tls)


def _tls(url: str, settings: SiteSettings) -> Any:
    if not url.startswith("https:"):
        return None
    return "same" if settings.tls is not None else TlsSettings()


def _address(config: dict[str, Any], key: str, url: str) -> str:
    value = config.get(key) or ""
    if not isinstance(value, str):
        raise SettingsError(f"{url}: {key} must be a URL, not {value!r}")
    if value:
        _grpc_target(value)
    return value


def _grpc_target(url: str) -> str:
    if not url:
        return ""
    address = check_web_address(url, "what Lookout publishes")
    return address.target if address.scheme == "https" else replace(address, port=DEFAULT_PORT).target
