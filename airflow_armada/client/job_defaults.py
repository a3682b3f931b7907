"""What a job gets where nobody says so: defaults of a connection, and of a whole deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_armada.api.quantity import parse_quantity
from airflow_armada.client.failure import SettingsError

PREFIX = "default_"
"""With it, the names below are fields of a connection, and options of ``[armada]``."""


@dataclass(frozen=True)
class JobDefaults:
    """
    Defaults for jobs; empty means that there is none.

    :param queue: queue to submit to.
    :param namespace: Kubernetes namespace of the pod.
    :param priority_class: Armada priority class.
    :param resources: pairs of resource and quantity for the main container.
    :param labels: pairs of key and value for the pod.
    :raises SettingsError: when a quantity is none.
    """

    queue: str = ""
    namespace: str = ""
    priority_class: str = ""
    resources: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Tell a wrong quantity here, where its place is still known."""
        for name, quantity in self.resources:
            try:
                parse_quantity(quantity)
            except ValueError:
                rule = f"must be a quantity such as 500m, 2 or 1Gi, not {quantity!r}"
                raise SettingsError(f"{PREFIX}resources: {name} {rule}") from None

    def over(self, others: JobDefaults) -> JobDefaults:
        """
        Lay these defaults over others.

        :param others: count where these say nothing; resources and labels one by one.
        :return: both together.
        """
        return JobDefaults(
            self.queue or others.queue,
            self.namespace or others.namespace,
            self.priority_class or others.priority_class,
            _merged(others.resources, self.resources),
            _merged(others.labels, self.labels),
        )


def _merged(low: tuple[tuple[str, str], ...], high: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    both: Mapping[str, str] = dict(low) | dict(high)
    return tuple(sorted(both.items()))


NO_DEFAULTS = JobDefaults()
