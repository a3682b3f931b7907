"""Times on the wire."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_armada.api import timestamp_pb2
from airflow_armada.client.timestamps import moment, nanoseconds, rfc3339


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:01.000000001Z", 1_000_000_001),
        ("1970-01-01T01:00:01.5+01:00", 1_500_000_000),
        ("1970-01-01t00:00:01z", 1_000_000_000),
        ("", 0),
        ("yesterday", 0),
        ("2026-13-01T00:00:00Z", 0),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected


def test_wire_times_are_written_so_that_later_ones_are_larger() -> None:
    early = rfc3339(timestamp_pb2.Timestamp(seconds=9, nanos=999_999_999))
    late = rfc3339(timestamp_pb2.Timestamp(seconds=10))

    assert early == "1970-01-01T00:00:09.999999Z"
    assert early < late
    assert rfc3339(timestamp_pb2.Timestamp()) == ""


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(2**62, 0), (-(2**62), 0), (-1, 0), (253_402_300_800, 0), (1, -1), (1, 2_000_000_000)]
)
def test_a_wire_time_that_nobody_can_have_meant_is_none(seconds: int, nanos: int) -> None:
    assert rfc3339(timestamp_pb2.Timestamp(seconds=seconds, nanos=nanos)) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T13:00:00.123456789+01:00", datetime(2026, 1, 31, 12, 0, 0, 123456, UTC)),
        ("2026-01-31T12:00:00", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_moment_keeps_microseconds(text: str, expected: datetime | None) -> None:
    assert moment(text) == expected
