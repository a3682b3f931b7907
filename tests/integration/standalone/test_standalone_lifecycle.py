"""What happens to a container while it runs and at its end: probes, hooks, its last message, its files in memory."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from airflow_armada.api import methods
from tests.integration.standalone.api import (
    JOB_SET,
    QUEUE,
    Armada,
    container,
    job,
    kind_of,
    mounts_work,
    shell,
    wait_until,
)

needs_mounts = pytest.mark.skipif(not mounts_work(), reason="this user cannot have mounts of its own")
OFTEN = {"periodSeconds": 1, "timeoutSeconds": 20, "failureThreshold": 1}


def failed_containers(armada: Armada, job_id: str) -> dict[str, tuple[int, str]]:
    """Return exit code and message of each container of a job that failed."""
    end = armada.end_of(job_id)
    assert kind_of(end) == "failed", end
    return {status.name: (status.exitCode, status.message) for status in end.container_statuses}


def runs(command: str) -> dict[str, Any]:
    return {"exec": {"command": ["sh", "-c", command]}}


# Probes


def test_a_container_that_does_not_live_any_more_is_ended(armada: Armada) -> None:
    probe = {"handler": runs("test -e alive"), **OFTEN}
    script = "touch alive; sleep 1; rm alive; exec sleep 1000"
    (job_id,) = armada.submit(job(shell(script, livenessProbe={**probe, "initialDelaySeconds": 1})))

    assert failed_containers(armada, job_id) == {"main": (143, "")}


def test_a_liveness_probe_may_fail_now_and_then(armada: Armada, tmp_path: Path) -> None:
    # Every second answer is a failure, which is fewer than two in a row.
    asked = f"echo x >> {tmp_path}/asked; test $(( $(wc -l < {tmp_path}/asked) % 2 )) = 1"
    script = f"until [ $(wc -l < {tmp_path}/asked) -ge 4 ]; do sleep 0.1; done"
    probe = {"handler": runs(asked), **OFTEN, "failureThreshold": 2}
    (tmp_path / "asked").touch()
    (job_id,) = armada.submit(job(shell(script, livenessProbe=probe)))

    assert kind_of(armada.end_of(job_id)) == "succeeded"


def test_a_liveness_probe_is_not_asked_before_the_startup_probe_succeeds(armada: Armada, tmp_path: Path) -> None:
    startup = {"handler": runs("test -e started"), **OFTEN, "failureThreshold": 60}
    liveness = {"handler": runs(f"touch {tmp_path}/asked; test -e started"), **OFTEN}
    script = f"sleep 1.5; touch started; until [ -e {tmp_path}/asked ]; do sleep 0.1; done"
    (job_id,) = armada.submit(job(shell(script, startupProbe=startup, livenessProbe=liveness)))

    assert kind_of(armada.end_of(job_id)) == "succeeded"


def test_a_container_that_does_not_start_up_is_ended(armada: Armada) -> None:
    probe = {"handler": runs("false"), **OFTEN, "failureThreshold": 2}
    (job_id,) = armada.submit(job(container("sleep", "1000", startupProbe=probe)))

    assert failed_containers(armada, job_id) == {"main": (143, "")}


def test_only_the_container_of_the_probe_is_ended(armada: Armada) -> None:
    probe = {"handler": runs("false"), **OFTEN}
    (job_id,) = armada.submit(
        job(container("sleep", "1000", livenessProbe=probe), shell("sleep 3; echo done", name="other"))
    )

    assert failed_containers(armada, job_id) == {"main": (143, ""), "other": (0, "")}
    assert armada.text(job_id, container="other") == "done"


def test_a_container_that_answers_sigterm_by_an_exit_code_of_its_own_has_that(armada: Armada) -> None:
    probe = {"handler": runs("test ! -e ready"), **OFTEN}
    script = "trap 'exit 7' TERM; touch ready; while :; do sleep 0.1; done"
    (job_id,) = armada.submit(job(shell(script, livenessProbe=probe)))

    assert failed_containers(armada, job_id)["main"][0] == 7


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture
def health_server() -> Iterator[int]:
    """A gRPC server that answers the health check of the service ``up`` only."""

    def check(request: bytes, context: grpc.ServicerContext) -> bytes:
        return b"\x08\x01" if request == b"\x0a\x02up" else b"\x08\x02"

    handler = grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}
    )
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


@pytest.mark.parametrize(("service", "end"), [("up", "succeeded"), ("down", "failed")])
def test_a_probe_may_ask_by_grpc(armada: Armada, health_server: int, service: str, end: str) -> None:
    probe = {"handler": {"grpc": {"port": health_server, "service": service}}, **OFTEN}
    (job_id,) = armada.submit(job(container("sleep", "3", livenessProbe=probe)))

    assert kind_of(armada.end_of(job_id)) == end


def test_a_probe_may_ask_a_port_by_its_name_with_headers(armada: Armada) -> None:
    port = free_port()
    server = f"""
import http.server
class Asked(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, self.headers["x-kind"], flush=True)
        self.send_response(500)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", {port}), Asked).serve_forever()
"""
    get = {
        "path": "healthz",
        "port": {"type": 1, "strVal": "web"},
        "httpHeaders": [{"name": "x-kind", "value": "probe"}],
    }
    main = container(
        sys.executable,
        "-c",
        server,
        ports=[{"name": "web", "containerPort": port}],
        livenessProbe={"handler": {"httpGet": get}, **OFTEN, "failureThreshold": 30, "initialDelaySeconds": 1},
    )
    (job_id,) = armada.submit(job(main))

    armada.events_until(job_id, "running")
    wait_until(lambda: "/healthz probe" in armada.text(job_id))
    armada.call(methods.Submit.CANCEL_JOBS, queue=QUEUE, job_set_id=JOB_SET, job_ids=[job_id])


@pytest.mark.parametrize(
    ("probe", "problem"),
    [
        ({}, "a probe must have exactly one of exec"),
        ({"handler": {"tcpSocket": {"port": {"type": 1, "strVal": "web"}}}}, "a probe names the port 'web'"),
    ],
)
def test_a_probe_that_cannot_be_asked_is_refused_at_the_start(armada: Armada, probe: Any, problem: str) -> None:
    (job_id,) = armada.submit(job(container("true", livenessProbe=probe)))

    assert f"container main: {problem}" in armada.end_of(job_id).reason


# Hooks


def test_a_container_is_told_before_it_is_stopped(armada: Armada, tmp_path: Path) -> None:
    hook = {"preStop": runs(f"cat state > {tmp_path}/seen")}
    script = "echo working > state; echo ready; sleep 1000"
    pod = {"terminationGracePeriodSeconds": 30}
    (job_id,) = armada.submit(job(shell(script, lifecycle=hook), pod=pod))
    armada.events_until(job_id, "running")
    wait_until(lambda: "ready" in armada.text(job_id))

    armada.call(methods.Submit.CANCEL_JOBS, queue=QUEUE, job_set_id=JOB_SET, job_ids=[job_id])

    wait_until(lambda: (tmp_path / "seen").exists() and (tmp_path / "seen").read_text() == "working\n")


def test_a_hook_after_the_start_is_done_beside_the_command(armada: Armada) -> None:
    hook = {"postStart": runs("touch hooked")}
    (job_id,) = armada.submit(job(shell("until [ -e hooked ]; do sleep 0.05; done", lifecycle=hook)))

    assert kind_of(armada.end_of(job_id)) == "succeeded"


def test_a_container_whose_hook_after_the_start_fails_is_ended(armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("sleep", "1000", lifecycle={"postStart": runs("false")})))

    assert failed_containers(armada, job_id) == {"main": (143, "")}


# The last message


@needs_mounts
@pytest.mark.parametrize("path", ["/dev/termination-log", "/var/last/words"])
def test_a_container_may_leave_a_message(armada: Armada, path: str) -> None:
    fields = {} if path == "/dev/termination-log" else {"terminationMessagePath": path}
    (job_id,) = armada.submit(job(shell(f"printf 'no space left' > {path}; exit 5", **fields)))

    assert failed_containers(armada, job_id) == {"main": (5, "no space left")}
    assert armada.end_of(job_id).reason == "Container main failed with exit code 5 because Error: no space left\n"
    assert not Path(path).exists()


@needs_mounts
def test_a_message_is_cut_and_need_not_be_text(armada: Armada) -> None:
    script = "{ printf '\\377'; yes m | head -c 10000; } > /dev/termination-log; exit 1"
    (job_id,) = armada.submit(job(shell(script)))

    message = failed_containers(armada, job_id)["main"][1]

    assert message == "�" + ("m\n" * 5000)[:4095]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("seq 200; exit 1", "".join(f"{number}\n" for number in range(121, 201))),
        (f"yes {'0123456789' * 10} | head -n 60; exit 1", (f"{'0123456789' * 10}\n" * 60)[-2048:]),
        ("echo fine", ""),
    ],
    ids=["lines", "bytes", "success"],
)
def test_the_end_of_the_log_may_stand_for_it(armada: Armada, script: str, message: str) -> None:
    main = shell(script, terminationMessagePolicy="FallbackToLogsOnError")
    (job_id,) = armada.submit(job(main, shell("exit 1", name="other")))

    assert failed_containers(armada, job_id)["main"][1] == message


@needs_mounts
def test_what_the_container_left_goes_before_its_log(armada: Armada) -> None:
    script = "echo log; printf left > /dev/termination-log; exit 1"
    (job_id,) = armada.submit(job(shell(script, terminationMessagePolicy="FallbackToLogsOnError")))

    assert failed_containers(armada, job_id)["main"][1] == "left"


# Files in memory


@needs_mounts
def test_shared_memory_is_the_pods_own_and_seen_by_its_containers(armada: Armada) -> None:
    writer = shell("echo shared > /dev/shm/of-this-pod", name="writer")
    reader = shell("until cat /dev/shm/of-this-pod; do sleep 0.1; done 2>/dev/null", name="reader")
    (job_id,) = armada.submit(job(writer, reader))

    assert kind_of(armada.end_of(job_id)) == "succeeded"
    assert armada.text(job_id, container="reader") == "shared"
    assert not Path("/dev/shm/of-this-pod").exists()


@needs_mounts
@pytest.mark.parametrize("then", ["", "; sleep 1000"], ids=["at its end", "while it runs"])
def test_shared_memory_counts_as_memory(armada: Armada, then: str) -> None:
    script = f"dd if=/dev/zero of=/dev/shm/fill bs=1M count=40 2>/dev/null{then}"
    (job_id,) = armada.submit(job(shell(script, memory="25Mi")))

    end = armada.end_of(job_id)

    assert [(status.exitCode, status.reason) for status in end.container_statuses] == [(137, "OOMKilled")]


@needs_mounts
def test_so_does_a_volume_in_memory(armada: Armada) -> None:
    volume = {"name": "fast", "volumeSource": {"emptyDir": {"medium": "Memory"}}}
    script = "dd if=/dev/zero of=/fast/fill bs=1M count=40 2>/dev/null"
    main = shell(script, memory="25Mi", volumeMounts=[{"name": "fast", "mountPath": "/fast"}])
    (job_id,) = armada.submit(job(main, pod={"volumes": [volume]}))

    assert armada.end_of(job_id).container_statuses[0].reason == "OOMKilled"
