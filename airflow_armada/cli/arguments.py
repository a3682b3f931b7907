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


@dataclass(frozen=True)
class Command:
    """
    One command.

    :param name: as it is typed
    :param help: one line
    :param description: what it is for, with its exit codes where they are its own
    :param arguments: its own arguments, after which come those that say where the site is
    :param file: the module that carries it out, where that has not the command's name
    :param has_site: whether it is for a site, and so takes the arguments of all such commands
    """

    name: str
    help: str
    description: str
    arguments: tuple[Argument, ...]
    file: str = ""
    has_site: bool = True

    @property
    def module(self) -> str:
        """The module that carries it out."""
        return f"airflow_armada.cli.commands.{self.file or self.name}"

    @property
    def function(self) -> str:
        """The function of that module."""
        return self.name.replace("-", "_")


EXIT_CODES = """exit codes:
  0    it worked
  1    it worked, and the answer is bad: a check failed, a job did not succeed, a job is not valid
  2    the command line makes no sense
  3    the site cannot be used: settings, credentials, network, or the server refused
  130  interrupted
"""

_HOME = _argument(
    "--home",
    default="",
    metavar="PATH",
    help="folder for all that Airflow writes, used again the next time (default: in ~/.local/state/airflow-armada)",
)
_JOB_SET = (
    _argument("queue", metavar="QUEUE", help="name of the queue"),
    _argument("job_set", metavar="JOBSET", help="id of the job set; Airflow's default is <dag_id>.<run_id>"),
)

_JOBS = _argument("jobs", metavar="JOB", nargs="+", help="id of a job")
_REASON = _argument("--reason", default="", help="at most 50 bytes, shown to whoever asks why")
_QUEUE = _argument("queue", metavar="QUEUE", help="name of the queue")
_OWNER = _argument("--owner", action="append", metavar="USER", help="user who owns the queue; may be repeated")
_FACTOR = "at least 1; the higher, the smaller the queue's share"

STATES = (
    "submitted",
    "queued",
    "leased",
    "pending",
    "running",
    "succeeded",
    "failed",
    "rejected",
    "preempted",
    "cancelled",
)
"""Words for where a job stands."""

COMMANDS = (
    Command(
        "up",
        "start an Airflow and an embedded Armada to try things",
        "Run an Airflow with its UI, the example DAGs and an embedded Armada on this machine, until Ctrl-C. No cluster "
        "is needed: the jobs are local processes.",
        (
            _argument(
                "--dags",
                dest="dags_folder",
                action="append",
                default=[],
                metavar="PATH",
                help="folder with DAG files of your own, besides the examples; may be repeated",
            ),
            _HOME,
        ),
        has_site=False,
    ),
    Command(
        "demo",
        "run example DAGs and show what happens",
        "Run example DAGs on an Airflow and an embedded Armada of their own, show their logs, and stop everything; 1 "
        "if one did not succeed.",
        (_argument("dags", metavar="DAG", nargs="*", help="id of an example (default: two of them)"), _HOME),
        has_site=False,
    ),
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
        "create-queue",
        "create a queue",
        "Create a queue.",
        (_QUEUE, _argument("--priority-factor", type=float, default=1.0, help=_FACTOR), _OWNER),
        file="queues",
    ),
    Command(
        "update-queue",
        "change a queue",
        "Change what is given of a queue; the rest stays as it is.",
        (_QUEUE, _argument("--priority-factor", type=float, help=_FACTOR), _OWNER),
        file="queues",
    ),
    Command("cordon", "let a queue start no more jobs", "Let a queue start no more jobs.", (_QUEUE,), file="queues"),
    Command("uncordon", "let a queue start jobs again", "Let a queue start jobs again.", (_QUEUE,), file="queues"),
    Command(
        "submit",
        "submit the jobs of a file",
        "Submit the jobs of a YAML file: an armadactl submit file, a Pod, or a pod spec. They are checked first.",
        (
            _argument("file", metavar="FILE", help="YAML file; - reads standard input"),
            _argument("--queue", default="", help="queue, instead of the file's"),
            _argument("--job-set", default="", metavar="JOBSET", help="job set, instead of the file's"),
            _argument("--namespace", default="", help="Kubernetes namespace, instead of the file's"),
            _argument("--dry-run", action="store_true", help="only check, and show what would be submitted"),
            _argument("--again", action="store_true", help="submit jobs anew that were submitted before"),
            _argument("--wait", action="store_true", help="wait for the end of the jobs; 1 if one did not succeed"),
        ),
    ),
    Command(
        "jobs",
        "list the jobs of a job set",
        "List the jobs of a job set, as its events tell of them.",
        (
            *_JOB_SET,
            _argument("--state", action="append", choices=STATES, help="only jobs in this state; may be repeated"),
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
            _argument("--container", default="", help="only this one of its containers"),
            _argument("--follow", "-f", action="store_true", help="go on until the job has ended"),
            _argument("--timestamps", action="store_true", help="show when each line was written"),
        ),
    ),
    Command(
        "cancel",
        "cancel jobs",
        "Cancel jobs by their ids, or all jobs of a job set.",
        (
            _argument("jobs", metavar="JOB", nargs="*", help="id of a job"),
            _argument("--job-set", default="", metavar="JOBSET", help="cancel all jobs of this job set; with --queue"),
            _argument("--queue", default="", help="queue of the job set"),
            _REASON,
        ),
    ),
    Command(
        "preempt",
        "preempt jobs",
        "Ask Armada to preempt jobs by their ids; those whose priority class does not allow it go on.",
        (_JOBS, _REASON),
    ),
    Command(
        "reprioritize",
        "change the priority of jobs",
        "Give jobs another priority within their queue; the lower number starts earlier.",
        (_JOBS, _argument("--priority", type=float, required=True, help="the new priority")),
    ),
    Command(
        "why",
        "explain the state of a job",
        "Say in which state a job is and why: what the scheduler thinks of a queued one, why another failed.",
        (_argument("job", metavar="JOB", help="id of the job"),),
    ),
)
