"""The larger one of two resource quantities."""

from __future__ import annotations

from fractions import Fraction

from airflow_armada.api.quantity import parse_quantity


def larger(one: str, other: str) -> str:
    """Return the larger of two quantities, in the form in which it came; what is no quantity counts as zero."""
    return other if not one or _amount(other) > _amount(one) else one


def _amount(quantity: str) -> Fraction:
    try:
        return parse_quantity(quantity.strip())
    except ValueError:
        return Fraction(0)
