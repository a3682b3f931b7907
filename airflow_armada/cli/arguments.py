"""The commands and their arguments, described once for argparse and for Airflow's own command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Argument:
    """
    One argument of a command, as ``argparse.ArgumentParser.add_argument`` takes it.

    :param flags: its names
    :param options: keyword arguments
    """

    flags: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """
    One command.

    :param name: as it is typed
    :param help: one line
    :param description: what it is for, with its exit codes where they are its own
    :param arguments: its own arguments, after which come those that say where the site is
    """

    name: str
    help: str
    description: str
    arguments: tuple[Argument, ...]

    @property
    def module(self) -> str:
        """The module that carries it out."""
        return f"airflow_armada.cli.commands.{self.name}"


def _argument(*flags: str, **options: Any) -> Argument:
    return Argument(flags, options)


SITE = (
    _argument("--conn-id", metavar="ID", help="Airflow connection of type armada"),
    _argument(
        "--uri",
        help="host:port, or a connection URI such as grpcs://armada.example:443?token_file=/path; other users of this "
        "machine can see it, so give secrets by $ARMADA_URL instead, which is the default",
    ),
    _argument(
        "--armadactl",
        metavar="PATH",
        nargs="?",
        const="",
        help="configuration of armadactl; without PATH ~/.armadactl.yaml",
    ),
    _argument("--context", metavar="NAME", help="context of the armadactl configuration, instead of its current one"),
)
"""Where the site is; without any of them ``$ARMADA_URL``, then the connection ``armada_default``."""

JSON = _argument("--json", action="store_true", help="print JSON, one value or one value a line, and errors as JSON")

EXIT_CODES = """exit codes:
  0    it worked
  1    it worked, and the answer is bad: a check failed, a job did not succeed, a job is not valid
  2    the command line makes no sense
  3    the site cannot be used: settings, credentials, network, or the server refused
  130  interrupted
"""

_JOB_SET = (
    _argument("queue", metavar="QUEUE", help="name of the queue"),
    _argument("job_set", metavar="JOBSET", help="id of the job set; Airflow's default is <dag_id>.<run_id>"),
)

COMMANDS = (
    Command(
        "check",
        "find out what works on the way to a site",
        "Try address, TLS, credentials, a queue and the log service one after the other, with the most likely fix.",
        (_argument("--queue", default="", help="a queue that must be visible"),),
    ),
    Command(
        "login",
        "log in with a browser and keep the login",
        "Log in at the OpenID provider of the site (or of --provider-url) and keep the tokens in a file that only you "
        "can read, for connections of the kind oidc_login and for armadactl's openIdAuth and openIdDeviceAuth.",
        (
            _argument("--provider-url", metavar="URL", help="issuer of the OpenID provider, instead of the site's"),
            _argument("--client-id", metavar="ID", help="client id at that provider"),
            _argument("--scope", action="append", metavar="SCOPE", help="scope to ask for; may be repeated"),
            _argument(
                "--flow",
                choices=("device", "browser"),
                default="device",
                help="device: enter a code on any device; browser: open a browser on this machine (default: device)",
            ),
            _argument("--port", type=int, default=0, help="port for the browser to come back to (default: any)"),
            _argument("--ca-file", metavar="PATH", default="", help="PEM file of the provider's CA"),
            _argument("--token-cache", metavar="PATH", default="", help="file to keep the login in"),
        ),
    ),
    Command("queues", "list the queues", "List the queues of the site.", ()),
    Command(
        "submit",
        "submit the jobs of a file",
        "Submit the jobs of a YAML file: an armadactl submit file, a Pod, or a pod spec. They are checked first.",
        (
            _argument("file", metavar="FILE", help="YAML file; - reads standard input"),
            _argument("--queue", default="", help="queue, instead of the file's"),
            _argument("--job-set", default="", metavar="JOBSET", help="job set, instead of the file's"),
            _argument("--dry-run", action="store_true", help="only check, and show what would be submitted"),
        ),
    ),
    Command(
        "watch",
        "watch the jobs of a job set live",
        "Show every change of the jobs of a job set until all of them have ended; 1 if one did not succeed.",
        (*_JOB_SET, _argument("--keep", action="store_true", help="go on when all jobs have ended")),
    ),
    Command(
        "logs",
        "show the log of a job",
        "Show what the containers of a job wrote, as long as its pod exists.",
        (
            _argument("job", metavar="JOB", help="id of the job"),
            _argument("--container", default="", help="its container, where it has more than one (default: the first)"),
            _argument("--follow", "-f", action="store_true", help="go on until the job has ended"),
            _argument("--timestamps", action="store_true", help="show when each line was written"),
        ),
    ),
    Command(
        "cancel",
        "cancel jobs",
        "Cancel jobs by their ids.",
        (
            _argument("jobs", metavar="JOB", nargs="+", help="id of a job"),
            _argument("--reason", default="", help="at most 50 bytes, shown to whoever asks why"),
        ),
    ),
    Command(
        "why",
        "explain the state of a job",
        "Say in which state a job is and why: what the scheduler thinks of a queued one, why another failed.",
        (_argument("job", metavar="JOB", help="id of the job"),),
    ),
)
