"""Readers of what others wrote: whatever they are given, they say so in their own words.

Seconds in the unit tests; as long as wanted with HYPOTHESIS_PROFILE=fuzz.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.api import submit_pb2
from airflow_armada.api.quantity import parse_quantity
from airflow_armada.jobs.build import build_request
from airflow_armada.jobs.checks.check import problems, request_problems
from airflow_armada.jobs.checks.server_rules import rules_from
from airflow_armada.jobs.job_forms import read_jobs
from airflow_armada.jobs.job_spec import JobSpec
from airflow_armada.jobs.kubernetes.convert import message_from_dict
from airflow_armada.jobs.kubernetes.schema import json_fields
from airflow_armada.jobs.kubernetes.yaml_text import load_documents
from airflow_armada.jobs.problems import InvalidJob
from airflow_armada.jobs.render import render_request

CORPUS = [path.read_text() for path in sorted((Path(__file__).parents[2] / "corpus").glob("*.yaml"))]
TAGS = ("!!bool ", "!!int ", "!!float ", "!!timestamp ", "!!binary ", "!!set ", "!!str ", "&a ", "*a", "<<: *a")
SIGNS = ("[", "]", "{", "}", ": ", "- ", "? ", "\n", "  ", "'", '"', "|", ">", "#", "@", "`", "\t", "\x85", "\0", "~")
VALUES = ("\\U00110000", "\\ud800", "9" * 5000, "1:30.5", ".inf", ".nan", "-0.0", "1e999", "yes", "0x_", "0b_")
LINES = ("%YAML 9.9\n", "---\n", "...\n")
MARKS = [*TAGS, *SIGNS, *VALUES, *LINES]
YAML = st.lists(st.sampled_from(MARKS) | st.text(max_size=5), max_size=40).map("".join)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A manifest with a piece cut out, and something put in its place."""
    text = draw(st.sampled_from(CORPUS))
    begin = draw(st.integers(0, len(text)))
    end = draw(st.integers(begin, min(len(text), begin + 30)))
    return text[:begin] + draw(YAML) + text[end:]


@given(YAML)
def test_fuzz_yaml(text: str) -> None:
    with suppress(InvalidJob):
        load_documents(text, "text")


@given(damaged())
def test_fuzz_manifests(text: str) -> None:
    with suppress(InvalidJob):
        file = read_jobs(text, "pod_spec")
        request_problems(file.items, file.queue, file.job_set_id)
        render_request(file.items)


FIELDS = (
    "containers",
    "metadata",
    "spec",
    "template",
    "resources",
    "limits",
    "cpu",
    "env",
    "ports",
    "volumes",
    "emptyDir",
)
KEYS = st.sampled_from(["jobs", "kind", *json_fields(submit_pb2.JobSubmitRequestItem.DESCRIPTOR), *FIELDS])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=3)
ODD = st.sampled_from([10**400, object(), int, "\ud800", "1Gi", -0.0])
ANYTHING = st.recursive(
    SCALARS | ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.integers(), inner, max_size=5),
    max_leaves=15,
)


@given(st.dictionaries(KEYS, ANYTHING, max_size=6))
def test_fuzz_jobs_as_data(data: Any) -> None:
    with suppress(InvalidJob):
        problems(message_from_dict(submit_pb2.JobSubmitRequestItem, data, "job"))


OURS = {"client_id", "external_job_uri", "identity_labels", "identity_annotations", "context_env", "defaults"}
ARGUMENTS = st.sampled_from(sorted(set(JobSpec.__dataclass_fields__) - OURS))


@given(st.dictionaries(ARGUMENTS, ANYTHING, max_size=6))
def test_fuzz_arguments(arguments: dict[str, Any]) -> None:
    with suppress(InvalidJob):
        problems(build_request(JobSpec(**arguments)).item)


@given(st.dictionaries(st.sampled_from(["priority_classes", "min_resources", "termination_grace", "other"]), ANYTHING))
def test_fuzz_server_rules(data: dict[str, Any]) -> None:
    with suppress(ValueError):
        rules_from(data)


@given(st.text("0123456789.eE+-mkKMGTPiu") | st.text())
def test_fuzz_quantities(text: str) -> None:
    with suppress(ValueError):
        parse_quantity(text)
