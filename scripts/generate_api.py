"""Compile ``proto/`` into the descriptor set and the type stubs of ``airflow_armada/api``.

``--check`` writes nothing and fails when what is committed is not what the sources give.
"""

from __future__ import annotations

import re
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
API = ROOT / "airflow_armada" / "api"
BARE_MAPPING = re.compile(r"\b_Mapping(?=[],])")
OWN_IMPORT = re.compile(r"^from (?:armada|kubernetes) import", re.MULTILINE)
WELL_KNOWN = {
    "empty_pb2.pyi": "from google.protobuf.empty_pb2 import Empty as Empty\n",
    "timestamp_pb2.pyi": "from google.protobuf.timestamp_pb2 import Timestamp as Timestamp\n",
}


def compile_sources() -> dict[str, bytes]:
    """Return the generated files of ``airflow_armada/api``: file name to content."""
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        arguments = [
            "protoc",
            f"--proto_path={PROTO}",
            f"--proto_path={files('grpc_tools').joinpath('_proto')}",
            f"--descriptor_set_out={out / 'descriptors.binpb'}",
            "--include_imports",
            f"--pyi_out={out}",
            *sources,
        ]
        if protoc.main(arguments):
            sys.exit("protoc refused the sources in proto/")
        generated = {"descriptors.binpb": (out / "descriptors.binpb").read_bytes()}
        for stub in out.rglob("*.pyi"):
            text = OWN_IMPORT.sub("from airflow_armada.api import", stub.read_text())
            # protoc leaves the type of a message given as a dict bare, which `mypy --strict` refuses.
            text = BARE_MAPPING.sub("_Mapping[str, object]", text)
            generated[stub.name] = text.encode()
    return generated | {name: text.encode() for name, text in WELL_KNOWN.items()}


def main() -> None:
    generated = compile_sources()
    if "--check" in sys.argv[1:]:
        stale = [
            name
            for name, content in generated.items()
            if not (API / name).exists() or (API / name).read_bytes() != content
        ]
        if stale:
            sys.exit(f"airflow_armada/api is not what proto/ gives: {', '.join(sorted(stale))}; run `make proto`")
        return
    for name, content in generated.items():
        (API / name).write_bytes(content)


if __name__ == "__main__":
    main()
