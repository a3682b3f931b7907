"""What Airflow needs to know about this provider before it imports any of it."""

from __future__ import annotations

from typing import Any

from airflow_armada import __version__
from airflow_armada.client.site.fields import FIELDS

_INTEGRATION = "Armada"


def _text(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"]}}


def _secret(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], "format": "password"}}


def _flag(label: str, description: str, *, default: bool) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["boolean", "null"], "default": default}}


def _seconds(label: str, description: str, default: float) -> dict[str, Any]:
    schema = {"type": ["number", "null"], "default": default, "minimum": 0}
    return {"label": label, "description": description, "schema": schema}


def _connection_fields() -> dict[str, Any]:
    """Fields of the connection form; each is stored in the connection's extra under its own name."""
    return {
        "tls": _flag(
            "TLS", "Encrypt the connection; switch off only for a server that speaks plain text.", default=True
        ),
        **{one.name: (_secret if one.secret else _text)(one.label, one.description) for one in FIELDS},
        "lookout_url": _text(
            "Lookout URL", "For example https://lookout.example.com; gives each task a link to its job."
        ),
        "binoculars": _text("Binoculars", "host:port of the log service, may hold {CLUSTER_ID}; empty: no job logs."),
        "binoculars_by_cluster": _text(
            "Binoculars by cluster", 'JSON object of log services that do not fit it: {"cluster-a": "logs-a:50051"}.'
        ),
        "binoculars_tls": _text("Binoculars TLS", "true or false; empty: as the server."),
        "ca_file": _text("CA file", "PEM file that signs the server; empty: the system's."),
        "cert_file": _text("Client certificate file", "PEM file, together with the key file, for mutual TLS."),
        "key_file": _text("Client key file", "PEM file that belongs to the client certificate."),
        "server_name": _text("Server name", "Name expected in the server's certificate, if it is not the host."),
        "allow_plaintext_credentials": _flag(
            "Credentials without TLS", "Send credentials over an unencrypted connection.", default=False
        ),
        "call_timeout": _seconds("Call timeout (s)", "Longest time that one call may take.", 10),
        "command_timeout": _seconds(
            "Command timeout (s)", "The same for submitting and cancelling, which wait for Armada's message bus.", 240
        ),
        "keepalive_time": _seconds(
            "Keepalive (s)", "Time between keepalive pings; the server refuses less than 10.", 30
        ),
        "use_proxy": _flag(
            "Proxies", "Honour https_proxy, http_proxy and no_proxy of workers and triggerers.", default=True
        ),
    }


def _connection_type() -> dict[str, Any]:
    return {
        "connection-type": "armada",
        "hook-class-name": "airflow_armada.hooks.armada.ArmadaHook",
        "hook-name": "Armada",
        "conn-fields": _connection_fields(),
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {"login": "User name", "password": "Password", "host": "Server"},
            "placeholders": {"host": "armada.example.com", "port": "50051"},
        },
    }


def _options() -> dict[str, Any]:
    return {
        "connection_cache_ttl": {
            "description": "Seconds for which a process remembers the settings of an Armada connection.",
            "version_added": "0.1.0",
            "type": "float",
            "example": None,
            "default": "60",
        },
        "identity_scope": {
            "description": (
                "Text that sets this Airflow deployment apart from others that use the same Armada queues and the "
                "same DAG and run ids. Armada would otherwise take two jobs of the same task and try for one."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "staging",
            "default": "",
        },
        "live_log_lines_per_second": {
            "description": (
                "Lines of job logs per second that one triggerer shows live, for all its tasks together. What exceeds "
                "it is shown when the job has ended."
            ),
            "version_added": "0.1.0",
            "type": "float",
            "example": None,
            "default": "200",
        },
        "live_log_lines_per_second_per_job": {
            "description": "The same for a single job.",
            "version_added": "0.1.0",
            "type": "float",
            "example": None,
            "default": "20",
        },
        "server_rules": {
            "description": (
                "What the Armada servers of this deployment accept where they differ from Armada's own defaults, as "
                "JSON: priority_classes (list, or null for any), max_pod_spec_bytes, oversubscription, min_resources, "
                "termination_grace, fractional_init_cpu, restricted_tolerations; and connections, which maps the id "
                "of a connection to such an object of its own. Jobs are checked against it before they are submitted."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": '{"priority_classes": ["batch", "urgent"], "oversubscription": {"memory": 2}}',
            "default": "",
        },
        "event_hold": {
            "description": (
                "Seconds for which a trigger holds back the end of a job after the task was deferred. Airflow takes an "
                "earlier resume for a crash of the first worker process. Empty: [workers] min_heartbeat_interval + 3."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "6",
            "default": "",
        },
    }


def get_provider_info() -> dict[str, Any]:
    """
    Describe the provider.

    :return: a dictionary as Airflow's ``provider_info.schema.json`` wants it.
    """
    return {
        "package-name": "airflow-armada",
        "name": "Armada",
        "description": "Tasks that are `Armada <https://armadaproject.io>`__ jobs.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": _INTEGRATION, "external-doc-url": "https://armadaproject.io", "tags": ["software"]}
        ],
        "operators": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_armada.operators.armada"]}],
        "hooks": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_armada.hooks.armada"]}],
        "triggers": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_armada.triggers.armada"]}],
        "connection-types": [_connection_type()],
        "task-decorators": [
            {"name": "armada", "class-name": "airflow_armada.decorators.armada.armada_task"},
            {"name": "armada_cmd", "class-name": "airflow_armada.decorators.armada.armada_cmd_task"},
        ],
        "cli": ["airflow_armada.cli.provider.get_commands"],
        "extra-links": ["airflow_armada.links.armada.LookoutLink"],
        "config": {"armada": {"description": "Settings of the Armada provider.", "options": _options()}},
    }
