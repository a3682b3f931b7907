"""Amounts of resources: read, added up and put into words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from airflow_armada.api.quantity import BINARY_UNITS, parse_quantity
from airflow_armada.api.resource_pb2 import Quantity


def amount_of(quantity: Quantity) -> Fraction:
    """Return the exact amount that a quantity stands for; an empty one counts as zero, as it does in Kubernetes.

    :raises ValueError: the text is not a quantity
    """
    return parse_quantity(quantity.string) if quantity.string else Fraction(0)


def amounts(quantities: Mapping[str, Quantity]) -> dict[str, Fraction]:
    """Return the amounts in a map of quantities, such as a container's requests."""
    return {name: amount_of(quantity) for name, quantity in quantities.items()}


def add(parts: Iterable[Mapping[str, Fraction]]) -> dict[str, Fraction]:
    """Return the sum of several sets of resources."""
    total: dict[str, Fraction] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, Fraction(0)) + amount
    return total


def display(name: str, amount: Fraction) -> str:
    """Return an amount in the words of a report: cores for cpu, binary units for everything counted in bytes."""
    if name not in ("memory", "ephemeral-storage"):
        return f"{float(amount):g} {name}"
    for unit in reversed(BINARY_UNITS):
        if abs(amount) >= BINARY_UNITS[unit]:
            return f"{float(amount / BINARY_UNITS[unit]):.4g}{unit} {name}"
    return f"{float(amount):g} bytes {name}"
