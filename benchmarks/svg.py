"""Line charts as SVG, with nothing but text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.stats import number

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 80, 20, 48, 60
COLOURS = ("#0b62a4", "#d1495b", "#3a7d44", "#edae49", "#6a4c93", "#5c677d")

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """One direction of a chart.

    :param low: the value at its beginning
    :param high: the value at its end
    :param begin: the coordinate of its beginning
    :param end: the coordinate of its end
    :param log: whether equal steps are equal factors
    """

    low: float
    high: float
    begin: float
    end: float
    log: bool

    @classmethod
    def over(cls, values: Sequence[float], begin: float, end: float, log: bool) -> Axis:
        if log:
            low, high = min(values), max(values)
            return cls(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high * 1.0001)), begin, end, True)
        high = max([*values, 0.0]) or 1.0
        return cls(0.0, _round_up(high), begin, end, False)

    def place(self, value: float) -> float:
        """Return the coordinate of a value."""
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(value)
        share = (at - low) / (high - low) if high > low else 0.5
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[float]:
        """Return the values that get a line of the grid."""
        if not self.log:
            return [self.high * step / 5 for step in range(6)]
        return [10.0**power for power in range(round(math.log10(self.low)), round(math.log10(self.high)) + 1)]


def _round_up(value: float) -> float:
    scale = 10 ** math.floor(math.log10(value))
    return next(step * scale for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * scale >= value)


def line_chart(
    title: str,
    x_label: str,
    y_label: str,
    series: Mapping[str, Points],
    *,
    log_x: bool = False,
    log_y: bool = False,
) -> str:
    """Draw one line for each series.

    :param title: what is shown
    :param x_label: what lies along the bottom, with its unit
    :param y_label: what lies upwards, with its unit
    :param series: name to (x, y) points; with a logarithmic axis all values must be above 0
    :return: the SVG document
    :raises ValueError: when there is no point, or one that a logarithmic axis cannot show
    """
    points = [point for line in series.values() for point in line]
    if not points:
        raise ValueError(f"the chart {title!r} has no point")
    if (log_x and min(x for x, _ in points) <= 0) or (log_y and min(y for _, y in points) <= 0):
        raise ValueError(f"the chart {title!r} has values that no logarithmic axis shows")
    across = Axis.over([x for x, _ in points], LEFT, WIDTH - RIGHT, log_x)
    upward = Axis.over([y for _, y in points], HEIGHT - BOTTOM, TOP, log_y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, 20, title, size=15),
        *_grid(across, upward),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x_label),
        f'<g transform="rotate(-90 18 {HEIGHT / 2:g})">{_text(18, HEIGHT / 2, y_label)}</g>',
    ]
    for position, (name, line) in enumerate(series.items()):
        parts += _line(name, line, across, upward, position)
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "middle") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>'


def _grid(across: Axis, upward: Axis) -> list[str]:
    parts = []
    for value in upward.ticks():
        y = upward.place(value)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 6, round(y + 4, 1), number(value), anchor="end"))
    for value in across.ticks():
        x = across.place(value)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(_text(round(x, 1), HEIGHT - BOTTOM + 18, number(value)))
    return parts


def _line(name: str, line: Points, across: Axis, upward: Axis, position: int) -> list[str]:
    colour = COLOURS[position % len(COLOURS)]
    places = [(across.place(x), upward.place(y)) for x, y in sorted(line)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    legend = LEFT + 8 + position * 126
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places),
        f'<rect x="{legend}" y="30" width="10" height="10" fill="{colour}"/>',
        _text(legend + 14, 39, name, anchor="start"),
    ]
