"""Our messages and those of ``armada-client`` are the same on the wire, type by type, in both directions."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.messages import messages

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "tests" / "peer" / "scripts" / "wire.py"
# The published package has no scheduler reports.
SHARED_MODULES = [
    "submit",
    "event",
    "job",
    "health",
    "binoculars",
    "core_v1",
    "networking_v1",
    "meta_v1",
    "resource",
    "intstr",
]


def _with_nested(cls: type[Message]) -> Iterator[type[Message]]:
    yield cls
    for nested in cls.DESCRIPTOR.nested_types:
        if not nested.GetOptions().map_entry:
            yield from _with_nested(getattr(cls, nested.name))


CLASSES = {
    cls.DESCRIPTOR.full_name: cls
    for module in SHARED_MODULES
    for top in vars(import_module(f"airflow_armada.api.{module}_pb2")).values()
    if isinstance(top, type) and isinstance(getattr(top, "DESCRIPTOR", None), Descriptor)
    for cls in _with_nested(top)
}


class Peer:
    """``armada-client`` in a process of its own, asked through pipes."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def ask(self, *request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=30)


@pytest.fixture(scope="module")
def peer(peer_python: str) -> Iterator[Peer]:
    peer = Peer(peer_python)
    yield peer
    peer.close()


def _content(message: Message) -> dict[str, Any]:
    content = json_format.MessageToDict(message, preserving_proto_field_name=True)
    if message.DESCRIPTOR.full_name == "binoculars.LogResponse":
        content = {**content, "log": [_line_as_text(line) for line in content["log"]]} if "log" in content else content
    if message.DESCRIPTOR.full_name == "binoculars.LogLine":
        content = _line_as_text(content)
    return content


def _line_as_text(line: dict[str, Any]) -> dict[str, Any]:
    return {**line, "line": base64.b64decode(line["line"]).decode()} if "line" in line else line


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_fields_have_the_same_names_numbers_types_and_presence(peer: Peer, name: str) -> None:
    ours = {
        field.name: [
            field.number,
            field.type,
            field.is_repeated,
            field.has_presence,
            field.message_type.full_name if field.message_type else "",
            {value.name: value.number for value in field.enum_type.values} if field.enum_type else {},
        ]
        for field in CLASSES[name].DESCRIPTOR.fields
    }
    theirs = peer.ask("describe", name)
    if name == "binoculars.LogLine":
        assert ours.pop("line")[0] == theirs.pop("line")[0]
    assert ours == theirs


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_armada_client_reads_what_we_write(peer: Peer, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CLASSES)))
    message = data.draw(messages(CLASSES[name]))

    answer = peer.ask("parse", name, base64.b64encode(message.SerializeToString()).decode())

    assert answer["content"] == _content(message)
    assert CLASSES[name].FromString(base64.b64decode(answer["wire"])) == message


@given(name=st.sampled_from(sorted(CLASSES)), seed=st.integers(0, 2**32))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_we_read_what_armada_client_writes(peer: Peer, name: str, seed: int) -> None:
    theirs = peer.ask("make", name, seed)

    message = CLASSES[name].FromString(base64.b64decode(theirs["wire"]))

    assert _content(message) == theirs["content"]
    known_only = CLASSES[name]()
    known_only.CopyFrom(message)
    known_only.DiscardUnknownFields()
    # Deterministic, because the order of a map's entries on the wire is anybody's guess.
    assert known_only.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    "imports",
    [
        "import armada_client.client, airflow_armada.api.submit_pb2",
        "import airflow_armada.api.submit_pb2, armada_client.client",
    ],
)
def test_both_packages_live_in_one_process(peer_python: str, imports: str) -> None:
    program = (
        f"{imports}\n"
        "from armada_client.armada import submit_pb2 as theirs\n"
        "from airflow_armada.api import submit_pb2 as ours\n"
        "assert ours.Queue.FromString(theirs.Queue(name='q').SerializeToString()).name == 'q'\n"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    done = subprocess.run([peer_python, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
