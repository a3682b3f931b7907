"""The larger one of two resource quantities."""

from __future__ import annotations

import pytest

from airflow_armada.follow.state.resource_use import larger


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
