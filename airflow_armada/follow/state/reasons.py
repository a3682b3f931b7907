"""The texts in which Armada says why a job ended, as facts and as a person wants to read them.

Their shapes are those of the real control plane; recordings of it are in ``tests/recorded``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from airflow_armada.api.quantity import parse_quantity
from airflow_armada.client.foreign_text import MAX_TEXT, bounded
from airflow_armada.follow.state.reports import node_problems, rejecting_pools

_FINAL_RUN = "Final run error:"
_CONTAINER = re.compile(r"Container (\S+) failed with exit code (\d{1,10}) because (\w+):")
_EXITED = re.compile(r"(\S+) exited with code (\d{1,10}):(.*)")
_PREEMPTED = re.compile(r"Preempted(?: by (\S+))?(?: - (.*))?", re.DOTALL)
_TOO_MUCH = re.compile(r"job/gang requests resources \((.*)\) which exceeds the total limit of \((.*)\) for its (.*)")
_CAUSES = {
    "The node was low on resource": "Evicted",
    "Pod was active on the node longer than the specified deadline": "DeadlineExceeded",
}
_SUBCATEGORIES = {"Lease expired": "lease-expired"}


class Failure(NamedTuple):
    """What only the text of a failure tells.

    :param exit_codes: exit code of each container that it names
    :param cause: "" or one of OOM, Evicted, DeadlineExceeded
    :param subcategory: "" or the failure's subcategory
    """

    exit_codes: dict[str, int]
    cause: str = ""
    subcategory: str = ""


def failure(text: str) -> Failure:
    """Read what a failure's text tells of it.

    With Armada's retry policies on, the last ``failed`` event has nothing but its text, and so has the query service.
    What the job itself wrote stands between the first lines and the last ones, and is not looked at.

    :param text: the reason of a ``failed`` event, or an answer of GetJobErrors
    """
    _, marker, last = text.partition(_FINAL_RUN)
    lines = (last if marker else text).strip().splitlines()
    if not lines:
        return Failure({})
    exit_codes: dict[str, int] = {}
    for line in reversed(lines):
        exited = _EXITED.fullmatch(line)
        if exited is None:
            break
        exit_codes.setdefault(exited[1], int(exited[2]))
    cause = next((cause for begin, cause in _CAUSES.items() if lines[0].startswith(begin)), "")
    # A line for each container that failed; Armada calls it an OOM if any of them was one.
    failed: set[str] = set()
    for line in lines:
        container = _CONTAINER.match(line)
        if container is None or container[1] in failed:
            break
        failed.add(container[1])
        exit_codes[container[1]] = int(container[2])
        cause = "OOM" if container[3] == "OOMKilled" else cause
    return Failure(exit_codes, cause, _SUBCATEGORIES.get(lines[0].strip(), ""))


def preemption(text: str) -> tuple[str, str]:
    """Take apart why a job was preempted.

    :param text: such as ``Preempted by anna - make room``
    :return: by whom, and why; both may be empty
    """
    match = _PREEMPTED.fullmatch(text.strip())
    return (match[1] or "", match[2] or "") if match else ("", text)


def readable(text: str) -> str:
    """Shorten the reason of a failure or rejection to what a person needs, without empty lines and repetitions."""
    text = bounded(text, MAX_TEXT)
    if rejected := [_rejection(pool, lines) for pool, lines in rejecting_pools(text)]:
        return "\n".join(rejected)
    lines = [line.rstrip() for line in text.strip().splitlines() if line.strip()]
    while _FINAL_RUN in lines and (exited := _EXITED.fullmatch(lines[-1])) and not exited[3].strip():
        lines.pop()
    joined: list[str] = []
    for line in lines:
        if joined and joined[-1].endswith(":"):
            joined[-1] += f" {line.lstrip()}"
        else:
            joined.append(line)
    return "\n".join(joined).removesuffix(":")


def _rejection(pool: str, lines: list[str]) -> str:
    told = " ".join(line.strip() for line in lines if line.strip() not in ("", "---"))
    if match := _TOO_MUCH.fullmatch(told):
        told = _excess(match[1], match[2]) + f" for its {match[3].replace('/', ' or ')}"
    elif problems := node_problems(lines):
        told = problems.sentence
    return f"pool {pool}: {told}"


def _excess(requested: str, limits: str) -> str:
    allowed = _resources(limits)
    too_much = [
        f"{name}={_short(amount)}, more than the limit of {_short(allowed[name])}"
        for name, amount in _resources(requested).items()
        if name in allowed and _exceeds(amount, allowed[name])
    ]
    return f"requests {' and '.join(too_much)}" if too_much else f"requests ({requested}), the limit is ({limits})"


def _resources(listed: str) -> dict[str, str]:
    return {name: amount for name, _, amount in (part.partition("=") for part in listed.split(",")) if amount}


def _short(amount: str) -> str:
    """Write a quantity as people do: 97.7Ti rather than 107374182400k."""
    number = float(parse_quantity(amount))
    units = ["", "Ki", "Mi", "Gi", "Ti", "Pi"] if number >= 2**20 else [""]
    while number >= 1024 and len(units) > 1:
        number /= 1024
        units.pop(0)
    return f"{number:.1f}".removesuffix(".0") + units[0]


def _exceeds(amount: str, limit: str) -> bool:
    try:
        return parse_quantity(amount) > parse_quantity(limit)
    except ValueError:
        return False
