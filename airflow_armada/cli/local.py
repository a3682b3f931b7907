"""What the commands that start an Airflow here have in common."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_armada.api.state_folder import state_folder
from airflow_armada.cli.output import Output
from airflow_armada.client.failure import ArmadaError

if TYPE_CHECKING:
    from airflow_armada.local.installation import Installation


def home_of(arguments: Namespace, name: str) -> Path:
    """
    Find the folder for all that Airflow writes.

    :param arguments: with ``home``.
    :param name: of the folder, where the arguments name none.
    :return: an absolute path; without ``--home`` it is in the user's state directory.
    """
    if arguments.home:
        return Path(arguments.home).resolve()
    return (state_folder() / name).resolve()


@contextmanager
def trying(arguments: Namespace, name: str, output: Output, *, port: int = 0) -> Iterator[Installation]:
    """
    Start Airflow and the embedded Armada, and stop both whatever happens.

    :param arguments: see :func:`home_of`.
    :param name: see :func:`home_of`.
    :param output: where to say what happens.
    :param port: where Airflow's UI shall listen, if nobody else has it.
    :return: a context manager that gives what runs.
    :raises ArmadaError: when anything fails there.
    """
    try:
        from airflow_armada.local.installation import installation
    except ImportError as error:
        raise ArmadaError(
            f"this needs Airflow beside the package ({error.name} is missing): pip install apache-airflow"
        ) from None
    try:
        dags = [Path(folder).resolve() for folder in getattr(arguments, "dags_folder", [])]
        with installation(home_of(arguments, name), output.line, dags=dags, port=port) as running:
            yield running
    except (RuntimeError, TimeoutError) as error:
        raise ArmadaError(str(error)) from None
