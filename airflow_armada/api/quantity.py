"""Kubernetes resource quantities, such as ``500m`` or ``2Gi``, with exact values.

Syntax: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from math import ceil

_SYNTAX = re.compile(
    r"(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+))(?P<suffix>[eE][+-]?\d{1,3}|[KMGTPE]i|[numkMGTPE]?)", re.ASCII
)
BINARY_UNITS = {f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL_UNITS = {letter: Fraction(10) ** power for letter, power in zip("num", (-9, -6, -3), strict=True)} | {
    letter: Fraction(1000**power) for power, letter in enumerate("kMGTPE", start=1)
}
_MAX_LENGTH = 100  # characters; Kubernetes keeps less than 20 digits
_UNITS = {"": Fraction(1), **BINARY_UNITS, **_DECIMAL_UNITS}


@lru_cache(maxsize=4096)
def parse_quantity(text: str) -> Fraction:
    """The exact value of a quantity.

    :param text: such as ``500m``, ``1.5``, ``2Gi`` or ``1e3``
    :return: the value in base units
    :raises ValueError: when the text is not a quantity
    """
    match = _SYNTAX.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        raise ValueError(
            f"{text[:_MAX_LENGTH]!r} is not a quantity; write a number with an optional unit, such as 500m, 2 or 1Gi"
        )
    suffix = match["suffix"]
    unit = _UNITS.get(suffix)
    if unit is None:
        unit = Fraction(10) ** int(suffix[1:])
    return Fraction(match["number"]) * unit


def milli_value(value: Fraction) -> int:
    """A quantity in thousandths, rounded up, which is how Armada compares limits with requests.

    :param value: in base units
    :return: in thousandths of the base unit
    """
    return ceil(value * 1000)


def whole_value(value: Fraction) -> int:
    """A quantity in whole base units, rounded up, which is how Armada compares requests with its minimum.

    :param value: in base units
    :return: in base units
    """
    return ceil(value)


def larger(one: str, other: str) -> str:
    """The larger of two quantities, in the form in which it came; what is no quantity counts as zero.

    :param one: a quantity, or what a server gave as one
    :param other: another one
    :return: one of the two
    """
    return other if not one or _amount(other) > _amount(one) else one


def _amount(quantity: str) -> Fraction:
    try:
        return parse_quantity(quantity.strip())
    except ValueError:
        return Fraction(0)
