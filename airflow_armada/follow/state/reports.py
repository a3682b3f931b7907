"""The shape of what Armada's scheduler writes: a part for each pool, rows of names and values, and excluded nodes.

Rejections have it as well. The shapes are those of the real control plane; recordings are in ``tests/recorded``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_POOL = re.compile(r"(\S+):")
_REJECTING_POOL = re.compile(r"pool (\S+):")
_COUNTED = re.compile(r"\s+(\d{1,12}): (.*)")
_NUMBER = re.compile(r"\d{1,12}")
_SHOWN = 3
_LONGEST = 200


class NodeProblems(NamedTuple):
    """Why nodes cannot run a job.

    :param nodes: how many nodes there are
    :param problems: what is wrong, and with how many of them
    """

    nodes: int
    problems: list[tuple[int, str]]

    @property
    def lasting(self) -> bool:
        """Whether waiting changes nothing: a label, a taint or an affinity excludes every node."""
        excluded = sum(count for count, text in self.problems if _is_lasting(text))
        return bool(self.nodes) and excluded >= self.nodes

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        listed = "; ".join(f"{text[:_LONGEST]} ({count} of {self.nodes})" for count, text in self.problems[:_SHOWN])
        more = "; ..." if len(self.problems) > _SHOWN else ""
        begin = "no node can ever run it" if self.lasting else "no node has room for it now"
        return f"{begin}: {listed}{more}" if listed else begin


def pools(report: str) -> list[tuple[str, list[str]]]:
    """Take a report apart.

    :return: each pool with its lines; nothing for a text of another shape
    """
    return _parts(report, _POOL)


def rejecting_pools(reason: str) -> list[tuple[str, list[str]]]:
    """Take the reason of a rejection apart.

    :return: each pool with its lines; nothing for a text of another shape
    """
    return _parts(reason, _REJECTING_POOL)


def _parts(text: str, heading: re.Pattern[str]) -> list[tuple[str, list[str]]]:
    parts: list[tuple[str, list[str]]] = []
    for line in text.strip().splitlines():
        if match := heading.fullmatch(line):
            parts.append((match[1], []))
        elif not parts:
            return []
        else:
            parts[-1][1].append(line)
    return parts


def rows(lines: list[str]) -> dict[str, str]:
    """Give the rows of a part by their name."""
    pairs = (line.strip().partition(":") for line in lines)
    return {name: value.strip() for name, colon, value in pairs if colon and not name.isdecimal()}


def counted(lines: list[str], below: str) -> list[tuple[int, str]]:
    """Give the lines ``<count>: <text>`` below a heading."""
    found: list[tuple[int, str]] = []
    inside = False
    for line in lines:
        match = _COUNTED.fullmatch(line)
        if inside and match:
            found.append((int(match[1]), match[2].strip()))
        else:
            inside = line.strip() == below
    return found


def node_problems(lines: list[str]) -> NodeProblems | None:
    """Tell why no node runs a job; None where nothing is said of nodes, or one was found."""
    found = rows(lines)
    if found.get("Node") != "none":
        return None
    nodes = found.get("Number of nodes in cluster", "")
    return NodeProblems(int(nodes) if _NUMBER.fullmatch(nodes) else 0, counted(lines, "Excluded nodes:"))


def _is_lasting(problem: str) -> bool:
    return problem.startswith(("node does not match", "taint "))
