"""Resource quantities have exact values, and Armada rounds them up before it compares them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.api.quantity import larger, milli_value, parse_quantity, whole_value

SUFFIXES = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}


@given(st.integers(), st.sampled_from(sorted(SUFFIXES)))
def test_a_whole_number_times_its_suffix(number: int, suffix: str) -> None:
    assert parse_quantity(f"{number}{suffix}") == number * SUFFIXES[suffix]


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.sampled_from(sorted(SUFFIXES)))
def test_a_decimal_number_is_exact(whole: int, part: int, suffix: str) -> None:
    expected = (whole + Fraction(part, 10**7)) * SUFFIXES[suffix]

    assert parse_quantity(f"{whole}.{part:07d}{suffix}") == expected


@given(st.integers(-1000, 1000), st.integers(-30, 30), st.sampled_from("eE"))
def test_an_exponent(number: int, exponent: int, sign: str) -> None:
    assert parse_quantity(f"{number}{sign}{exponent}") == number * Fraction(10) ** exponent


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_a_clear_error(text: str) -> None:
    try:
        assert isinstance(parse_quantity(text), Fraction)
    except ValueError as error:
        problem = str(error)
    else:
        return
    assert repr(text) in problem


@pytest.mark.parametrize("text", ["", "1.5.2", "Gi", "1 Gi", "1gi", "0x10", "1e", "--1", "inf", "nan", "1Gi\n", "٣"])
def test_what_is_not_a_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)


@pytest.mark.parametrize(("text", "amount"), [(".5", Fraction(1, 2)), ("5.", 5), ("+2", 2), ("1E", 10**18)])
def test_unusual_forms(text: str, amount: Fraction) -> None:
    assert parse_quantity(text) == amount


def test_armada_compares_what_is_rounded_up() -> None:
    assert milli_value(parse_quantity("1u")) == 1
    assert milli_value(parse_quantity("1500u")) == 2
    assert whole_value(parse_quantity("1m")) == 1


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1", "900m", "1"),
        ("1Gi", "1G", "1Gi"),
        ("100Mi", "1e8", "100Mi"),
        ("", "5", "5"),
        ("2", "nonsense", "2"),
        ("1E", "1e3", "1E"),
    ],
)
def test_the_larger_of_two_quantities(one: str, other: str, expected: str) -> None:
    assert larger(one, other) == expected
