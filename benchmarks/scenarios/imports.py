"""What a DAG file pays for the operator."""

from __future__ import annotations

from benchmarks import peer_env
from benchmarks.children import measure
from benchmarks.plan import Plan
from benchmarks.report import Section, Table, Target
from benchmarks.stats import Sample

OURS = "airflow_armada.operators.armada"
PEERS = "armada.operators.armada"
CLIENT = "airflow_armada.client.client"
SDK = "airflow.sdk:BaseOperator"


def run(plan: Plan) -> Section:
    """Measure the import of both operators, run by run in turn."""
    peer = peer_env.ensure()
    cases = {
        "Airflow's own `airflow.sdk`, ours": (plan.python, [], "airflow.sdk.bases.operator"),
        "our operator over `airflow.sdk`": (plan.python, [SDK], OURS),
        "the peer's operator over `airflow.sdk`": (peer, [SDK], PEERS),
        "gRPC, protobuf and the client, once our operator submits": (plan.python, [SDK, OURS], CLIENT),
    }
    raw: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for _ in range(plan.import_runs + 1):
        for name, (python, before, module) in cases.items():
            raw[name].append(measure("benchmarks.measures.imports", python=python, before=before, module=module))
    table = Table("Import in a fresh process", ["what", "CPU ms", "modules", "MB", "imports grpc"])
    for name, runs in raw.items():
        del runs[0]  # the first one reads from the disk
        milliseconds = Sample.of(one["cpu"] * 1000 for one in runs)
        modules, memory = Sample.of(one["modules"] for one in runs), Sample.of(one["mb"] for one in runs)
        table.rows.append([name, milliseconds, modules, memory, "yes" if runs[0]["grpc"] else "no"])
    ours, peers = (Sample.of(one["cpu"] for one in raw[name]).median for name in list(cases)[1:3])
    targets = [
        Target("import of the operator module over `airflow.sdk`", ours * 1000, 60, "ms"),
        Target("import, as a share of the peer's", ours / peers, 0.1),
    ]
    note = "CPU time of the importing process; the runs of all cases take turns, the first of each does not count."
    return Section("imports", "Import cost", [note], [table], targets, raw=dict(raw))
