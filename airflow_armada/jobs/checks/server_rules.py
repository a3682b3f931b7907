"""What a server is configured to accept. Defaults: ``config/server/config.yaml`` of Armada v0.22.7."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from airflow_armada.api.quantity import parse_quantity

SHIPPED_PRIORITY_CLASSES = frozenset({"armada-default", "armada-preemptible", "armada-resilient"})


@dataclass(frozen=True)
class ServerRules:
    """The part of a site's configuration that decides which jobs it accepts.

    :param priority_classes: allowed priority classes; None: not known, so that others than the shipped are warned of
    :param max_pod_spec_bytes: largest pod spec, in bytes of its wire form
    :param oversubscription: by resource, how many times its request a limit may be; 1.0 for those not named
    :param min_resources: by resource, the smallest request
    :param termination_grace: smallest and largest termination grace period, in seconds
    :param fractional_init_cpu: refuse whole cpus in init containers
    :param restricted_tolerations: toleration keys that users may not set
    """

    priority_classes: frozenset[str] | None = None
    max_pod_spec_bytes: int = 65_535
    oversubscription: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    min_resources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({"memory": "1Mi"}))
    termination_grace: tuple[int, int] = (1, 300)
    fractional_init_cpu: bool = True
    restricted_tolerations: frozenset[str] = frozenset()


DEFAULT_RULES = ServerRules()


def rules_from(data: Mapping[str, Any]) -> ServerRules:
    """Read what differs from the defaults.

    :param data: fields of :class:`ServerRules` by name, as JSON has them
    :return: the rules
    :raises ValueError: naming the field that is unknown or not what it must be
    """
    unknown = sorted(set(data) - set(_READERS))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is unknown; known are {', '.join(_READERS)}")
    read: dict[str, Any] = {}
    for name, value in data.items():
        expected, reader = _READERS[name]
        try:
            read[name] = reader(value)
        except (TypeError, ValueError, AttributeError, OverflowError):
            raise ValueError(f"{name} must be {expected}, not {value!r}") from None
    return replace(DEFAULT_RULES, **read)


def _names(value: Any) -> frozenset[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise TypeError
    return frozenset(value)


def _grace(value: Any) -> tuple[int, int]:
    least, most = value
    return int(least), int(most)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "priority_classes": ("a list of names, or null for any", lambda value: None if value is None else _names(value)),
    "max_pod_spec_bytes": ("a number of bytes", int),
    "oversubscription": (
        "numbers by resource",
        lambda value: MappingProxyType({name: float(times) for name, times in value.items()}),
    ),
    "min_resources": (
        "quantities by resource",
        lambda value: MappingProxyType({name: _quantity(text) for name, text in value.items()}),
    ),
    "termination_grace": ("two numbers of seconds, the least and the most", _grace),
    "fractional_init_cpu": ("true or false", _flag),
    "restricted_tolerations": ("a list of toleration keys", _names),
}


def _quantity(text: Any) -> str:
    parse_quantity(text)
    return str(text)
