"""Amounts of resources."""

from __future__ import annotations

from fractions import Fraction

from airflow_armada.api.resource_pb2 import Quantity
from airflow_armada.standalone.resource_amounts import amount_of, canonical, listing


def test_an_empty_quantity_is_none() -> None:
    assert amount_of(Quantity()) == 0
    assert amount_of(Quantity(string="500m")) == Fraction(1, 2)


def test_amounts_are_written_as_kubernetes_writes_decimal_quantities() -> None:
    amounts = {Fraction(1, 2): "500m", Fraction(100_000): "100k", Fraction(2**26): "67108864", Fraction(0): "0"}
    assert {amount: canonical(amount) for amount in amounts} == amounts
    assert canonical(Fraction(-1)) == "-1"


def test_a_listing_begins_with_memory_and_cpu() -> None:
    amounts = {"cpu": Fraction(1), "nvidia.com/gpu": Fraction(2), "memory": Fraction(3)}
    assert listing(amounts) == "(memory=3,cpu=1,nvidia.com/gpu=2)"
