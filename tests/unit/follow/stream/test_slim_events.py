"""Message ids of the event stream."""

from __future__ import annotations

from airflow_armada.follow.stream.slim_events import id_at, time_of


def test_message_ids_begin_with_a_time() -> None:
    assert id_at(1.5) == "1500:0:0:1"
    assert time_of(id_at(1.5)) == 1.5
    assert time_of("") == time_of("legacy-1") == 0.0
