"""Kubernetes resource quantities: ``500m``, ``2Gi``, ``1e3``, ``0.5``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache

from airflow_armada.api.resource_pb2 import Quantity

_FORM = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?P<suffix>[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})?"
)
_FACTORS: dict[str, Fraction] = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{suffix: Fraction(1000 ** (power + 1)) for power, suffix in enumerate("kMGTPE")},
    **{suffix + "i": Fraction(1024 ** (power + 1)) for power, suffix in enumerate("KMGTPE")},
}


@lru_cache(maxsize=4096)
def parse_quantity(text: str) -> Fraction:
    """Return the exact amount that a quantity stands for.

    :param text: a quantity as Kubernetes writes it; an empty text counts as zero, as an unset quantity does there
    :raises ValueError: the text is not a quantity
    """
    if not text:
        return Fraction(0)
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a resource quantity; write it like 500m, 2 or 4Gi")
    suffix = match["suffix"] or ""
    if suffix[:1] in ("e", "E") and len(suffix) > 1 and suffix != "Ei":
        return Fraction(match["number"]) * Fraction(10) ** int(suffix[1:])
    return Fraction(match["number"]) * _FACTORS[suffix]


def amounts(quantities: Mapping[str, Quantity]) -> dict[str, Fraction]:
    """Return the amounts in a map of quantities, such as a container's requests."""
    return {name: parse_quantity(quantity.string) for name, quantity in quantities.items()}


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
    for unit in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
        if abs(amount) >= _FACTORS[unit]:
            return f"{float(amount / _FACTORS[unit]):.4g}{unit} {name}"
    return f"{float(amount):g} bytes {name}"
