"""The entry point ``airflow-armada``."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from airflow_armada import __version__
from airflow_armada.cli.arguments import COMMANDS, EXIT_CODES, JSON, SITE, Argument, Command
from airflow_armada.cli.output import FAILED, INTERRUPTED, OK, USAGE, Output, UsageError, fail

_LAST_RESORT = 5.0  # s
_SITE_HELP = "which site; without any of these $ARMADA_URL, then the Airflow connection armada_default"


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command.

    :param arguments: of the command line; None takes the process's
    :return: the exit code
    """
    parsed = _parser().parse_args(arguments)
    return run(next(command for command in COMMANDS if command.name == parsed.command), parsed)


def run(command: Command, arguments: argparse.Namespace) -> int:
    """
    Carry out a command and turn whatever goes wrong into one line and an exit code.

    :param command: the command
    :param arguments: its parsed arguments
    """
    from airflow_armada.client.failure import ArmadaError

    as_json = command.has_site and arguments.json
    try:
        module = importlib.import_module(command.module)
        with _interruptible():
            code: int = getattr(module, command.function)(arguments, Output(as_json))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return OK
    except UsageError as error:
        fail(str(error), as_json)
        return USAGE
    except (ArmadaError, ValueError) as error:
        fail(str(error), as_json)
        return FAILED
    except OSError as error:
        _drop_output()
        fail(f"cannot read or write: {error.strerror or type(error).__name__}", as_json)
        return FAILED
    except Exception as error:
        if os.environ.get("ARMADA_TRACEBACK"):
            raise
        # The text of an unforeseen error may hold anything, so only its kind is shown.
        fail(f"unexpected {type(error).__name__}; set ARMADA_TRACEBACK=1 to see where", as_json)
        return FAILED
    return code


@contextmanager
def _interruptible() -> Iterator[None]:
    """
    End a command some seconds after Ctrl-C, come what may.

    Python drops the exception for good if it happens to be raised in a destructor, and closing a call may take long.
    """

    def interrupt(*_: object) -> None:
        last_resort = threading.Timer(_LAST_RESORT, os._exit, [INTERRUPTED])
        last_resort.daemon = True
        last_resort.start()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def _drop_output() -> None:
    """Python would complain once more when it flushes standard output at its exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="airflow-armada",
        description="Look after Armada jobs and connections from the command line.",
        epilog=EXIT_CODES,
        formatter_class=formatter,
    )
    parser.add_argument("--version", action="version", version=f"airflow-armada {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            help=command.help,
            description=command.description,
            epilog=EXIT_CODES,
            formatter_class=formatter,
        )
        for argument in command.arguments:
            _add(sub, argument)
        if not command.has_site:
            continue
        _add(sub, JSON)
        site = sub.add_argument_group("site", _SITE_HELP)
        for argument in SITE:
            _add(site, argument)
    return parser


def _add(parser: argparse._ActionsContainer, argument: Argument) -> None:
    parser.add_argument(*argument.flags, **argument.options)


if __name__ == "__main__":
    sys.exit(main())
