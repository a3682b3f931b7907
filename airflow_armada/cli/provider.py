"""The same commands as ``airflow armada ...``, for Airflow 3.2 and later."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

from airflow_armada.cli.arguments import COMMANDS, EXIT_CODES, JSON, SITE, Argument, Command

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand


def get_commands() -> list[CLICommand]:
    """
    Describe the commands to Airflow; named by the key ``cli`` of the provider's information.

    :return: one group with all of them
    """
    return [
        GroupCommand(
            name="armada",
            help="Look after Armada jobs and connections",
            subcommands=[_action(command) for command in COMMANDS],
            epilog=EXIT_CODES,
        )
    ]


def _action(command: Command) -> ActionCommand:
    return ActionCommand(
        name=command.name,
        help=command.help,
        description=command.description,
        func=_function(command),
        args=[_arg(argument) for argument in (*command.arguments, *((JSON, *SITE) if command.has_site else ()))],
        epilog=EXIT_CODES,
    )


def _arg(argument: Argument) -> Arg:
    # Its constructor does not know every option of argparse (such as const), but hands on whatever is in kwargs.
    arg = Arg(argument.flags)  # type: ignore[no-untyped-call]
    arg.kwargs.update(argument.options)
    return arg


def _function(command: Command) -> Callable[[Namespace], None]:
    def function(arguments: Namespace) -> None:
        from airflow_armada.cli.main import run

        sys.exit(run(command, arguments))

    function.__name__ = command.name
    return function
