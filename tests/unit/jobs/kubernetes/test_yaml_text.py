"""YAML is read as Kubernetes tools read it, and what is written is read back to the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_armada.jobs.kubernetes.yaml_text import dump, load_documents
from airflow_armada.jobs.problems import InvalidJob

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.text("ab \n\t:#-'|>\x85\u2028", max_size=20)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
DATA = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=8)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9)
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(TEXT, DATA, min_size=1, max_size=3))
def test_what_is_written_is_read_back(data: Any) -> None:
    assert load_documents(dump(data), "text") == [data]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 2026-01-31", "2026-01-31"),
        ("a: 2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("a: 1:30", "1:30"),
        ("a: 12:30:45", "12:30:45"),
        ("a: 0644", 0o644),
        ("a: 0o644", 0o644),
        ("a: 0x1F", 31),
        ("a: -7", -7),
        ("a: 0", 0),
        ("a: 08", "08"),
        ("a: 1_000", 1000),
        ("a: 0x_", "0x_"),
        ("a: 0b_", "0b_"),
        ("a: 1e5", 1e5),
        ("a: 1:30.5", "1:30.5"),
        ("a: yes", True),
        ("a: 'yes'", "yes"),
        ("a:", None),
        ('{"a": [1, 2]}', [1, 2]),
        ("x: &x {b: 1}\na: {<<: *x, c: 2}", {"b": 1, "c": 2}),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    assert load_documents(text, "text")[0]["a"] == value


def test_several_documents_and_empty_ones() -> None:
    assert load_documents("---\na: 1\n---\n---\nb: 2\n", "text") == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "pod_spec: not valid YAML at line 2, column 1: key 'a' is given twice"),
        ("a: [1", "pod_spec: not valid YAML at line 1, column 6"),
        ("a: !!python/object:os.system {}", "could not determine a constructor for the tag"),
        ("a: \x00", "pod_spec: not valid YAML"),
        ("? [1]\n: 2", "pod_spec: not valid YAML"),
        ("a: !!bool x", "pod_spec: not valid YAML at line 1, column 4: not a value of type bool"),
        ("a: !!int ''", "not a value of type int"),
        ("a: !!float x", "not a value of type float"),
        ("a: !!float ''", "not a value of type float"),
        ("a: " + "9" * 5000, "not a value of type int"),
        ("a: !!timestamp x", "could not determine a constructor for the tag"),
        ("a: !!set {b}", "could not determine a constructor for the tag"),
        ('a: "\\U00110000"', "an escape stands for no character"),
        ("a: &a [*a]", "at line 1, column 4: an alias stands for what it is a part of"),
        ("a: &a {<<: *a}", "an alias stands for what it is a part of"),
        ("[" * 100_000, "more than 100 levels of lists and mappings"),
        ("- " * 100_000, "more than 100 levels of lists and mappings"),
        ("{a: " * 100_000, "more than 100 levels of lists and mappings"),
        (BOMB, "its aliases stand for too much"),
        ("a: 1\n" * 1_000_000, "must be at most 4194304 characters"),
    ],
)
def test_broken_text_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidJob) as raised:
        load_documents(text, "pod_spec")
    assert message in str(raised.value)
