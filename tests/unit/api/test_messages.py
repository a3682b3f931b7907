"""The message classes behave as generated ones would, in a pool of their own."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.api import core_v1_pb2, event_pb2, job_pb2, methods, submit_pb2, timestamp_pb2
from tests.support.messages import messages

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path.stem for path in (ROOT / "airflow_armada" / "api").glob("*_pb2.py"))
CLASSES = [
    cls
    for module in (submit_pb2, event_pb2, job_pb2, core_v1_pb2)
    for cls in vars(module).values()
    if isinstance(cls, type) and hasattr(cls, "DESCRIPTOR")
]


def test_every_module_has_a_stub_and_a_proto_source() -> None:
    for module in MODULES:
        assert (ROOT / "airflow_armada" / "api" / f"{module}.pyi").exists()
        name = import_module(f"airflow_armada.api.{module}").DESCRIPTOR.name
        assert name.startswith("google/") or (ROOT / "proto" / name).exists()


@given(st.sampled_from(CLASSES).flatmap(messages))
def test_a_message_survives_the_wire_pickle_and_deepcopy(message: object) -> None:
    cls = type(message)
    assert cls.FromString(message.SerializeToString()) == message
    assert pickle.loads(pickle.dumps(message)) == message
    assert copy.deepcopy(message) == message


def test_nested_messages_pickle() -> None:
    subject = submit_pb2.Queue.Permissions.Subject(kind="User", name="ada")
    assert pickle.loads(pickle.dumps(subject)) == subject
    assert type(subject).__qualname__ == "Queue.Permissions.Subject"
    assert type(subject).__module__ == "airflow_armada.api.submit_pb2"


def test_explicit_zero_and_false_survive_the_wire() -> None:
    spec = core_v1_pb2.PodSpec(
        automountServiceAccountToken=False,
        activeDeadlineSeconds=0,
        securityContext=core_v1_pb2.PodSecurityContext(runAsUser=0),
    )
    arrived = core_v1_pb2.PodSpec.FromString(spec.SerializeToString())
    assert arrived.HasField("automountServiceAccountToken")
    assert arrived.HasField("activeDeadlineSeconds")
    assert arrived.securityContext.HasField("runAsUser")
    assert not arrived.HasField("hostNetwork")


def test_enums_are_used_as_in_generated_code() -> None:
    assert submit_pb2.JobState.Name(submit_pb2.SUCCEEDED) == "SUCCEEDED"
    assert submit_pb2.ServiceType.Value("Headless") == submit_pb2.Headless == 1


def test_timestamps_have_the_well_known_helpers() -> None:
    created = timestamp_pb2.Timestamp(seconds=1, nanos=500_000_000)
    event = event_pb2.JobQueuedEvent(created=created)
    assert event.created.ToMilliseconds() == 1500


def test_the_method_table_is_what_the_services_declare() -> None:
    pool = submit_pb2.DESCRIPTOR.pool
    for full_name, service in methods.SERVICES.items():
        declared = [
            (f"/{full_name}/{m.name}", m.input_type.full_name, m.output_type.full_name, m.server_streaming)
            for m in pool.FindServiceByName(full_name).methods
        ]
        table = [
            (m.path, m.request.DESCRIPTOR.full_name, m.response.DESCRIPTOR.full_name, m.streaming)
            for m in methods.methods_of(service)
        ]
        assert table == declared


def _protobuf_pythons() -> list[str]:
    return [python for python in os.environ.get("PROTOBUF_PYTHONS", "").split(os.pathsep) if python]


@pytest.mark.skipif(not _protobuf_pythons(), reason="PROTOBUF_PYTHONS names no interpreter (make test sets it)")
def test_the_messages_load_on_every_protobuf_generation() -> None:
    program = (
        "import pickle, google.protobuf\n"
        "from airflow_armada.api import submit_pb2, core_v1_pb2, event_pb2\n"
        "item = submit_pb2.JobSubmitRequestItem(pod_spec=core_v1_pb2.PodSpec(hostNetwork=False))\n"
        "copy = pickle.loads(pickle.dumps(submit_pb2.JobSubmitRequestItem.FromString(item.SerializeToString())))\n"
        "assert copy == item and copy.pod_spec.HasField('hostNetwork')\n"
        "print(google.protobuf.__version__)\n"
    )
    versions = [_run(python, program).strip() for python in [sys.executable, *_protobuf_pythons()]]
    assert {version.split(".")[0] for version in versions} >= {"4", "5", "6", "7"}


def _run(python: str, program: str) -> str:
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    done = subprocess.run([python, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
