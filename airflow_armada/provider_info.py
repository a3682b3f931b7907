"""What Airflow needs to know about this provider before it imports any of it."""

from __future__ import annotations

from typing import Any

from airflow_armada import __version__
from airflow_armada.client.site.fields import AUTH, FIELDS, KINDS, Field

_INTEGRATION = "Armada"


_SERVER, _CREDENTIALS, _OPENID, _LINKS, _TLS, _ADVANCED = (
    "Server",
    "Credentials",
    "Credentials: OpenID Connect",
    "Logs and links",
    "TLS",
    "Advanced",
)
"""Sections of the form, in the order in which they are shown."""

_IN_ADVANCED = ("token_command", "kubernetes_", "armadactl")


def _field(section: str, label: str, description: str, kinds: str, **schema: Any) -> dict[str, Any]:
    return {
        "label": label,
        "description": description,
        "schema": {"type": [kinds, "null"], "section": section, **schema},
    }


def _choice(section: str, label: str, description: str, choices: dict[str, str]) -> dict[str, Any]:
    """A text out of a list, or none: a field that must not be null, the form marks as missing."""
    return _field(section, label, description, "string", enum=list(choices), values_display=choices)


def _seconds(label: str, description: str, default: float) -> dict[str, Any]:
    return _field(_ADVANCED, label, description, "number", default=default, minimum=0)


def _credential(one: Field) -> dict[str, Any]:
    if one.name == AUTH:
        choices = {kind: kind.replace("_", " ") for kind in KINDS}
        return _choice(_CREDENTIALS, one.label, one.description, choices)
    section = _OPENID if one.name.startswith("oidc_") else _CREDENTIALS
    if one.name.startswith(_IN_ADVANCED):
        section = _ADVANCED
    hidden = {"format": "password"} if one.secret else {}
    return _field(section, one.label, one.description, "string", **hidden)


def _connection_fields() -> dict[str, Any]:
    """Fields of the connection form; each is stored in the connection's extra under its own name."""
    shown = {
        "tls": _field(
            _SERVER,
            "TLS",
            "Encrypt the connection; switch off only for a server that speaks plain text.",
            "boolean",
            default=True,
        ),
        **{one.name: _credential(one) for one in FIELDS},
        "lookout_url": _field(
            _LINKS,
            "Lookout URL",
            "For example https://lookout.example.com; gives each task a link to its job.",
            "string",
        ),
        "binoculars": _field(
            _LINKS, "Binoculars", "host:port of the log service, may hold {CLUSTER_ID}; empty: no job logs.", "string"
        ),
        "binoculars_by_cluster": _field(
            _LINKS,
            "Binoculars by cluster",
            'JSON object of log services that do not fit it: {"cluster-a": "logs-a:50051"}.',
            "string",
        ),
        "binoculars_tls": _choice(
            _LINKS,
            "Binoculars TLS",
            "Encrypt the calls to the log service; empty: as those to the server.",
            {"true": "yes", "false": "no"},
        ),
        "ca_file": _field(_TLS, "CA file", "PEM file that signs the server; empty: the system's.", "string"),
        "cert_file": _field(
            _TLS, "Client certificate file", "PEM file, together with the key file, for mutual TLS.", "string"
        ),
        "key_file": _field(_TLS, "Client key file", "PEM file that belongs to the client certificate.", "string"),
        "server_name": _field(
            _TLS, "Server name", "Name expected in the server's certificate, if it is not the host.", "string"
        ),
        "allow_plaintext_credentials": _field(
            _TLS,
            "Credentials without TLS",
            "Send credentials over an unencrypted connection.",
            "boolean",
            default=False,
        ),
        "call_timeout": _seconds("Call timeout (s)", "Longest time that one call may take.", 10),
        "command_timeout": _seconds(
            "Command timeout (s)", "The same for submitting and cancelling, which wait for Armada's message bus.", 240
        ),
        "keepalive_time": _seconds(
            "Keepalive (s)", "Time between keepalive pings; the server refuses less than 10.", 30
        ),
        **_job_defaults(),
        "use_proxy": _field(
            _ADVANCED,
            "Proxies",
            "Honour https_proxy, http_proxy and no_proxy of workers and triggerers.",
            "boolean",
            default=True,
        ),
    }
    order = (_SERVER, _CREDENTIALS, _OPENID, _LINKS, _TLS, _ADVANCED)
    return dict(sorted(shown.items(), key=lambda named: order.index(named[1]["schema"]["section"])))


_DEFAULTS = {
    "default_queue": ("Default queue", "Queue of jobs that name none.", "research"),
    "default_namespace": ("Default namespace", "Namespace of jobs that name none.", "team-a"),
    "default_priority_class": (
        "Default priority class",
        "Priority class of jobs that name none.",
        "armada-preemptible",
    ),
    "default_resources": (
        "Default resources",
        "JSON object of the main container's resources, for those that a job does not name.",
        '{"cpu": "2", "memory": "4Gi"}',
    ),
    "default_labels": ("Default labels", "JSON object of labels that every pod gets.", '{"team": "a"}'),
}
"""What jobs get where nobody says so, in a connection and in ``[armada]``: label, meaning, example."""


def _job_defaults() -> dict[str, Any]:
    return {name: _field(_ADVANCED, label, said, "string") for name, (label, said, _) in _DEFAULTS.items()}


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


def _allowed(description: str, example: str) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": "string",
        "example": example,
        "default": "",
    }


def _options() -> dict[str, Any]:
    return {
        "allowed_credentials": _allowed(
            "Kinds of credentials that connections may take from Airflow's machines, separated by commas: token_file, "
            "token_variable, token_command, oidc_login, oidc_kubernetes, kubernetes, armadactl. Whoever may edit "
            "connections chooses where they are sent. Kinds that are in the connection itself are always allowed.",
            "kubernetes, token_file",
        ),
        "allowed_credential_files": _allowed(
            "Paths that token_file, armadactl and oidc_token_cache may name, separated by commas; * is any text.",
            "/run/secrets/armada/*",
        ),
        "allowed_credential_variables": _allowed(
            "Environment variables that token_variable may name and token_command_environment may set, as patterns.",
            "ARMADA_*",
        ),
        "allowed_credential_commands": _allowed(
            "Programs that token_command may run, each with its arguments; a last * stands for any arguments.",
            "/opt/get-token --audience armada",
        ),
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
        "rest_of_log_lines": {
            "description": (
                "Lines of each container that a worker prints at most of what was not shown live, the newest; it holds "
                "a slot meanwhile. 0: all."
            ),
            "version_added": "0.1.0",
            "type": "integer",
            "example": None,
            "default": "10000",
        },
        "server_rules": {
            "description": (
                "What the Armada servers of this deployment accept where they differ from Armada's own defaults, as "
                "JSON: priority_classes (list, or null where they are not known), max_pod_spec_bytes, "
                "oversubscription, min_resources, termination_grace, fractional_init_cpu, "
                "restricted_tolerations; and connections, which maps the id of a connection to such an object of its "
                "own. Jobs are checked against it before they are submitted."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": '{"priority_classes": ["batch", "urgent"], "oversubscription": {"memory": 2}}',
            "default": "",
        },
        **{
            name: {
                "description": f"{said} A connection's field of this name goes before it, a task before both.",
                "version_added": "0.1.0",
                "type": "string",
                "example": example,
                "default": "",
            }
            for name, (_, said, example) in _DEFAULTS.items()
        },
        "event_hold": {
            "description": (
                "Seconds for which a trigger holds back the end of a job after the task was deferred. Airflow takes an "
                "earlier resume for a crash of the first worker process. Empty: [workers] min_heartbeat_interval, and "
                "twice what the worker took to start, but at least 3 and at most 20 seconds."
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
        "description": "Tasks that are jobs of `Armada <https://armadaproject.io>`__",
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
