"""Amounts of resources."""

from __future__ import annotations

from fractions import Fraction

from airflow_armada.api.resource_pb2 import Quantity
from airflow_armada.standalone.resource_amounts import amount_of, display


def test_an_empty_quantity_is_none() -> None:
    assert amount_of(Quantity()) == 0
    assert amount_of(Quantity(string="500m")) == Fraction(1, 2)


def test_display_uses_the_units_that_people_write() -> None:
    assert display("cpu", Fraction(1, 2)) == "0.5 cpu"
    assert display("memory", Fraction(3 * 2**29)) == "1.5Gi memory"
    assert display("memory", Fraction(12)) == "12 bytes memory"
