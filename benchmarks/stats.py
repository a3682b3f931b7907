"""Medians, percentiles and their spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], rank: float) -> float:
    """Return a percentile, interpolated between its neighbours.

    :param values: at least one number, in any order
    :param rank: 0 to 100
    :raises ValueError: when there is no value or no such rank
    """
    if not values or not 0 <= rank <= 100:
        raise ValueError(f"no percentile {rank} of {len(values)} values")
    ordered = sorted(values)
    place = (len(ordered) - 1) * rank / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(frozen=True)
class Sample:
    """One figure, measured in several runs.

    :param values: the figure of each run, in the order of the runs
    :param unit: what it is counted in, for people
    """

    values: tuple[float, ...]
    unit: str = ""

    @classmethod
    def of(cls, values: Iterable[float], unit: str = "") -> Sample:
        return cls(tuple(float(value) for value in values), unit)

    @property
    def median(self) -> float:
        return statistics.median(self.values) if self.values else math.nan

    @property
    def low(self) -> float:
        return min(self.values, default=math.nan)

    @property
    def high(self) -> float:
        return max(self.values, default=math.nan)

    def __str__(self) -> str:
        if not self.values:
            return "-"
        text = number(self.median)
        if len(self.values) > 1 and self.low != self.high:
            text += f" ({number(self.low)}-{number(self.high)})"
        return f"{text} {self.unit}".rstrip()


def number(value: float) -> str:
    """Write a number with three significant digits, and thousands apart."""
    if math.isnan(value) or math.isinf(value):
        return "-"
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    return f"{rounded:,.{max(digits, 0)}f}".rstrip("0").rstrip(".") if digits > 0 else f"{round(value):,}"


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return the percentiles that latencies are told by; empty when nothing was measured."""
    if not values:
        return {}
    ranks = {"p50": 50, "p95": 95, "p99": 99, "max": 100}
    return {name: percentile(values, rank) for name, rank in ranks.items()}
