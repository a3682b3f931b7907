"""Amounts of resources: read, added up and put into words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

from airflow_armada.api.core_v1_pb2 import PodSpec
from airflow_armada.api.quantity import parse_quantity
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


def pod_requests(spec: PodSpec) -> dict[str, Fraction]:
    """Return what a pod takes: its containers together, or its hungriest init container if that is more."""
    ordinary = [one for one in spec.initContainers if one.restartPolicy != "Always"]
    sidecars = [one for one in spec.initContainers if one.restartPolicy == "Always"]
    total = add(amounts(one.resources.requests) for one in (*spec.containers, *sidecars))
    pick: Callable[[Fraction, Fraction], Fraction] = max
    for container in ordinary:
        for name, amount in amounts(container.resources.requests).items():
            total[name] = pick(total.get(name, Fraction(0)), amount)
    return total


def canonical(amount: Fraction) -> str:
    """Return an amount as Kubernetes writes a decimal quantity: no fraction, and the largest unit that fits."""
    if amount.denominator != 1:
        return f"{math.ceil(amount * 1000)}m"
    number, units = amount.numerator, iter(("k", "M", "G", "T", "P", "E"))
    unit = ""
    while number and number % 1000 == 0 and (larger := next(units, "")):
        number, unit = number // 1000, larger
    return f"{number}{unit}"


def listing(amounts: Mapping[str, Fraction]) -> str:
    """Return a set of resources in the words of a report: memory and cpu first."""
    names = [name for name in ("memory", "cpu") if name in amounts]
    names += sorted(amounts.keys() - {"memory", "cpu"})
    return "(" + ",".join(f"{name}={canonical(amounts[name])}" for name in names) + ")"
