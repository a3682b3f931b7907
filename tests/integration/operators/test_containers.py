"""Several containers, gangs, services and ingress by plain arguments: on a real Airflow with ``dag.test()``."""

from __future__ import annotations

import threading
from typing import Any
from urllib.request import urlopen

import pytest

from airflow_armada.client.client import ArmadaClient
from tests.integration.operators.conftest import Finished, InlineAirflow
from tests.support.components import free_port, wait_until

pytestmark = pytest.mark.timeout(600)
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "blocking"])

THREE = """
        small = {"limits": {"cpu": "50m", "memory": "16Mi"}}
        work = sh(
            "work", "echo of the main one", deferrable=%(deferrable)s, get_logs=%(get_logs)s, get_result=%(get_result)s,
            containers=[{"name": "side", "image": "a", "resources": small,
                         "command": ["sh", "-c", "echo of the side; echo '::armada-result::7'"]}],
            init_containers=[{"name": "first", "image": "a", "resources": small, "command": ["echo", "of the first"]}],
        )
"""


def labelled(run: Finished) -> set[tuple[str, str]]:
    """The job's lines with the containers that their records name; none where only one container is read."""
    return {
        (record.get("container", ""), record["event"]) for record in run.log if record.get("logger") == "armada.pod"
    }


@both_modes
@pytest.mark.parametrize(
    ("get_logs", "get_result", "expected"),
    [
        (True, "side", {"base", "side"}),
        ("side", False, {"side"}),
        (["base", "first"], "side", {"base", "first"}),
        (False, "side", set()),
    ],
    ids=["all", "one", "several", "none"],
)
def test_the_logs_of_chosen_containers_are_shown_with_their_names(
    airflow: InlineAirflow, deferrable: bool, get_logs: Any, get_result: Any, expected: set[str]
) -> None:
    run = airflow.run(THREE % {"deferrable": deferrable, "get_logs": repr(get_logs), "get_result": repr(get_result)})

    said = {"base": "of the main one", "side": "of the side", "first": "of the first"}
    shown = {line for line in labelled(run) if not line[1].startswith("::armada-result")}
    named = len(expected) > 1 or (get_result and get_result not in expected)
    assert shown == {(name if named else "", said[name]) for name in expected}
    if get_result:
        assert run.result("work") == 7


@both_modes
def test_a_sidecar_sets_no_result_unless_it_is_named(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(THREE % {"deferrable": deferrable, "get_logs": True, "get_result": True})

    ((kind, text),) = run.errors()
    assert kind == "ArmadaResultError"
    assert "it printed one where it does not count: within a line, or in another container's log" in text


def test_a_container_that_the_job_lacks_cannot_be_shown(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        @task
        def names():
            return [["base", "sidecar"]]  # known too late for the check of a parsed DAG

        ArmadaOperator.partial(task_id="work", **SMALL, cmds=["true"]).expand(get_logs=names())
    """)

    ((kind, text),) = run.errors()
    assert kind == "ArmadaRefused"
    assert "get_logs: the job has no container of this name, got 'sidecar'; it has base" in text


def test_the_members_of_a_gang_start_together(airflow: InlineAirflow, client: ArmadaClient) -> None:
    run = airflow.run("""
        gang = dict(gang_id="{{ run_id }}", gang_cardinality=2)
        first = sh("first", "true", **gang, wait_for_completion=False)
        second = sh("second", 'echo "$ARMADA_GANG_ID $ARMADA_GANG_CARDINALITY"', **gang)
        first >> second
    """)

    assert run.state == "success"
    assert run.pod_lines() == [f"{run.run_id} 2"]
    job_id = run.result("first")["job_id"]
    assert job_id in client.get_job_status([job_id]).job_states


def test_services_and_ingress(airflow: InlineAirflow, client: ArmadaClient) -> None:
    run = airflow.run("""
        sh("work", "true", ports=[8080, 8081], services=[8080],
           ingress=[{"ports": [8081], "annotations": {"for": "{{ dag.dag_id }}"}}])
    """)

    assert run.state == "success"
    job_id = run.result("work")["job_id"]
    spec = client.get_job_details([job_id], expand_job_spec=True).job_details[job_id].job_spec
    shown = run.task("work")["rendered"]["rendered_job"]
    assert "containerPort: 8081" in shown
    assert f"for: {run.dag_id}" in shown
    assert [port.containerPort for port in (spec.pod_spec.containers or spec.pod_specs[0].containers)[0].ports] == [
        8080,
        8081,
    ]


SERVER = """
import http.server, sys
class Once(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"reached")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Once).handle_request()
"""


@both_modes
@pytest.mark.parametrize("how", ["ingress=[PORT]", "services=[PORT]"], ids=["ingress", "node port"])
def test_where_an_exposed_port_can_be_reached(airflow: InlineAirflow, deferrable: bool, how: str) -> None:
    """The job ends when somebody has come to the address that it is said to have."""
    port = free_port()
    visitor = Visitor(f"127.0.0.1:{port}")

    with visitor:
        run = airflow.run(f"""
            PORT = {port}
            ArmadaOperator(task_id="work", armada_queue="research", image="python:3.12", deferrable={deferrable},
                           cmds=["python3", "-c", {SERVER!r}], arguments=[str(PORT)], ports=[PORT], {how},
                           container_resources={{"cpu": "100m", "memory": "64Mi"}})
        """)

    assert visitor.answer == b"reached"
    assert run.result("work")["addresses"] == {str(port): visitor.address}
    assert f"exposes port {port} at {visitor.address}" in run.messages()


def test_a_headless_service_has_no_address_of_its_own(airflow: InlineAirflow) -> None:
    run = airflow.run("""sh("work", "true", ports=[8080], services=[{"type": "Headless", "ports": [8080]}])""")

    assert run.state == "success"
    assert run.result("work")["addresses"] == {}


class Visitor:
    """Somebody who tries an address until something answers there."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answer = b""
        self._thread = threading.Thread(target=self._visit, daemon=True)

    def __enter__(self) -> Visitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)

    def _visit(self) -> None:
        wait_until(self._reached, f"an answer of {self.address}", 120)

    def _reached(self) -> bytes:
        try:
            with urlopen(f"http://{self.address}", timeout=5) as response:
                self.answer = response.read()
        except OSError:
            pass
        return self.answer
