"""The rules for requests and limits.

Armada compares limits with requests in thousandths and requests with its minimum in whole units, both rounded up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from airflow_armada.api import core_v1_pb2
from airflow_armada.api.quantity import milli_value, parse_quantity, whole_value
from airflow_armada.jobs.checks.name_syntax import LABEL_KEY_RULE, is_label_key
from airflow_armada.jobs.checks.pod import all_containers
from airflow_armada.jobs.checks.server_rules import ServerRules
from airflow_armada.jobs.problems import Problem

Quantities = dict[str, Fraction]
_STANDARD = re.compile(r"cpu|memory|ephemeral-storage|hugepages-.+")


def resource_problems(pod: core_v1_pb2.PodSpec, path: str, rules: ServerRules) -> list[Problem]:
    """What is wrong with the resources of a pod's containers.

    :param pod: the pod spec
    :param path: what messages call it
    :param rules: what the site accepts
    :return: the problems
    """
    found: list[Problem] = []
    for container, where in all_containers(pod, path):
        found += _container(container, f"{where}.resources", rules, init="initContainers[" in where)
    return found


def _container(container: core_v1_pb2.Container, path: str, rules: ServerRules, init: bool) -> Iterator[Problem]:
    texts = {
        "requests": {name: quantity.string for name, quantity in container.resources.requests.items()},
        "limits": {name: quantity.string for name, quantity in container.resources.limits.items()},
    }
    if not texts["requests"] and not texts["limits"]:
        yield Problem(path, "", "needs requests and limits", "set container_resources")
        return
    found: list[Problem] = []
    values = {side: _parsed(entries, f"{path}.{side}", found) for side, entries in texts.items()}
    yield from found
    yield from _names(texts, values, path)
    yield from _sides(texts, path)
    yield from _ratios(texts, values, path, rules)
    yield from _minimum(texts["requests"], values["requests"], path, rules)
    if init and rules.fractional_init_cpu:
        yield from _init_cpu(texts, values, path)


def _parsed(texts: Mapping[str, str], path: str, found: list[Problem]) -> Quantities:
    values: Quantities = {}
    for name, text in sorted(texts.items()):
        where = f"{path}[{name!r}]"
        try:
            values[name] = parse_quantity(text)
        except ValueError:
            found.append(Problem(where, repr(text), "must be a quantity such as 500m, 2 or 1Gi", unit_hint(text)))
            continue
        if values[name] < 0:
            found.append(Problem(where, text, "must not be negative"))
    return values


def _names(texts: dict[str, dict[str, str]], values: dict[str, Quantities], path: str) -> Iterator[Problem]:
    """What is wrong with a resource whose name is told once, although both sides have it."""
    for name in sorted(texts["requests"].keys() | texts["limits"].keys()):
        side = "requests" if name in texts["requests"] else "limits"
        where, value = f"{path}.{side}[{name!r}]", values[side].get(name, Fraction(0))
        if not is_label_key(name):
            yield Problem(where, "", f"a resource name {LABEL_KEY_RULE}")
        elif "/" not in name and not _STANDARD.fullmatch(name):
            rule = "must be cpu, memory, ephemeral-storage or hugepages-..., or have a domain"
            yield Problem(where, "", rule, "write nvidia.com/gpu, for instance" if "gpu" in name.lower() else "")
        elif "/" in name and value.denominator != 1:
            yield Problem(where, texts[side][name], "must be a whole number")


def unit_hint(text: str) -> str:
    """What the author of a quantity may have meant.

    :param text: something that is no quantity
    :return: a suggestion, or empty
    """
    match = _NUMBER_AND_UNIT.fullmatch(text)
    unit = _UNITS.get(match["unit"].lower()) if match else None
    return f"write {match['number']}{unit}" if match and unit is not None else ""


_NUMBER_AND_UNIT = re.compile(r"\s*(?P<number>[0-9.]+)\s*(?P<unit>[A-Za-z]+)\s*")
_UNITS = {f"{prefix}{rest}": f"{prefix.upper()}i" for prefix in "kmgtp" for rest in ("i", "ib")}
_UNITS |= {f"{prefix}{rest}": "k" if prefix == "k" else prefix.upper() for prefix in "kmgtp" for rest in ("b", "")}
_UNITS |= dict.fromkeys(("cpu", "cpus", "core", "cores", "b", "bytes"), "")


def _sides(texts: dict[str, dict[str, str]], path: str) -> Iterator[Problem]:
    for side, other in (("requests", "limits"), ("limits", "requests")):
        for name in sorted(texts[side].keys() - texts[other].keys()):
            rule = f"is missing, but {side} have it"
            yield Problem(f"{path}.{other}[{name!r}]", "", rule, f"set it to {texts[side][name]}")


def _ratios(
    texts: dict[str, dict[str, str]], values: dict[str, Quantities], path: str, rules: ServerRules
) -> Iterator[Problem]:
    for name in sorted(values["requests"].keys() & values["limits"].keys()):
        request, limit = (milli_value(values[side][name]) for side in ("requests", "limits"))
        ratio = rules.oversubscription.get(name, 1.0)
        if request <= limit <= ratio * request:
            continue
        rule = f"must equal the request, {texts['requests'][name]}"
        if ratio != 1.0:
            rule = f"must be from 1 to {ratio:g} times the request, {texts['requests'][name]}"
        yield Problem(f"{path}.limits[{name!r}]", texts["limits"][name], rule, "set both to the same quantity")


def _minimum(texts: dict[str, str], values: Quantities, path: str, rules: ServerRules) -> Iterator[Problem]:
    for name, least in sorted(rules.min_resources.items()):
        if name in values and whole_value(values[name]) < whole_value(parse_quantity(least)):
            digits = texts[name].removesuffix("m")
            hint = f"write {digits}Mi for mebibytes" if name == "memory" and digits.isdigit() else ""
            if hint and digits != texts[name]:
                hint = f"m means thousandths, {hint}"
            yield Problem(f"{path}.requests[{name!r}]", texts[name], f"must be at least {least}", hint)


def _init_cpu(texts: dict[str, dict[str, str]], values: dict[str, Any], path: str) -> Iterator[Problem]:
    for side in ("requests", "limits"):
        cpu = values[side].get("cpu")
        if cpu and milli_value(cpu) % 1000 == 0:
            rule = "an init container must ask for a fraction of a cpu"
            yield Problem(f"{path}.{side}['cpu']", texts[side]["cpu"], rule, "write 900m, for instance")
