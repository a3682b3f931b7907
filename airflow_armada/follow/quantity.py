"""Kubernetes resource quantities, as far as telling the larger one of two."""

from __future__ import annotations

import re
from decimal import Decimal

_FORM = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)")
_BINARY = {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal(1000)}
_SCALES = _BINARY | _DECIMAL | {letter: Decimal(1000) ** power for power, letter in enumerate("MGTPE", start=2)}


def amount(quantity: str) -> Decimal:
    """Return the value of a quantity such as ``500m`` or ``2Gi``; zero for what is none."""
    match = _FORM.fullmatch(quantity.strip())
    if not match or match[2] not in _SCALES:
        return Decimal(0)
    try:
        return Decimal(match[1]) * _SCALES[match[2]]
    except ArithmeticError:
        return Decimal(0)


def larger(one: str, other: str) -> str:
    """Return the larger of two quantities, in the form in which it came."""
    return other if not one or amount(other) > amount(one) else one
