"""What a job's processes see, and that none of them is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_armada.api import methods
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import JOB_SET, QUEUE, Armada, container, job, kind_of, shell, wait_until
from tests.support.components import free_port

FORKS = "sleep 1000 & setsid sleep 1000 & (setsid sh -c 'sleep 1000' &) ; echo $$ $!; wait"


def alive(pids: list[int]) -> list[int]:
    """Return those of some processes that exist and are not zombies."""
    return [pid for pid in pids if _state(pid) not in ("", "Z")]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def marked(marker: str) -> list[int]:
    """Return the processes that have a marker in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if marker.encode() in environment:
                found.append(int(entry.name))
    return alive(found)


@pytest.fixture
def marker(request: pytest.FixtureRequest) -> str:
    """A text that only this test's processes have in their environment."""
    return f"marker-{request.node.name}-{os.getpid()}"


def test_environment_comes_from_armada_the_spec_and_the_pod(armada: Armada) -> None:
    env = [
        {"name": "GREETING", "value": "hello"},
        {"name": "SENTENCE", "value": "$(GREETING) from $(ARMADA_QUEUE), $$(GREETING) $(UNKNOWN)"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "TEAM", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['team']"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": {"string": "1m"}}}},
        {
            "name": "ABSENT",
            "valueFrom": {"secretKeyRef": {"localObjectReference": {"name": "s"}, "key": "k", "optional": True}},
        },
    ]
    (job_id,) = armada.submit(job(container("env", env=env), labels={"team": "blue"}))
    armada.end_of(job_id)

    seen = dict(line.split("=", 1) for line in armada.text(job_id).splitlines())

    assert seen["HOSTNAME"] == seen["POD"]
    expected = {
        "ARMADA_JOB_ID": job_id,
        "ARMADA_QUEUE": QUEUE,
        "ARMADA_JOB_SET_ID": JOB_SET,
        "SENTENCE": f"hello from {QUEUE}, $(GREETING) $(UNKNOWN)",
        "POD": f"armada-{job_id}-0",
        "TEAM": "blue",
        "CPU": "10",
    }
    assert {name: seen[name] for name in expected} == expected
    assert "ABSENT" not in seen


def test_the_servers_own_environment_is_not_passed_on(armada: Armada, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SECRET", "canary")
    (job_id,) = armada.submit(job(container("env")))
    armada.end_of(job_id)

    assert "canary" not in armada.text(job_id)


def test_args_follow_the_command_with_variables_filled_in(armada: Armada) -> None:
    (job_id,) = armada.submit(
        job(container("echo", "1", args=["$(WHAT)", "$$(WHAT)"], env=[{"name": "WHAT", "value": "x"}]))
    )
    armada.end_of(job_id)

    assert armada.text(job_id) == "1 x $(WHAT)"


def test_args_without_a_command_run_by_themselves(armada: Armada) -> None:
    (job_id,) = armada.submit(job(container(args=["echo", "alone"])))
    armada.end_of(job_id)

    assert armada.text(job_id) == "alone"


def test_the_working_folder_is_the_one_asked_for(armada: Armada, tmp_path: Path) -> None:
    existing, missing = job(container("pwd", workingDir=str(tmp_path))), job(container("pwd", workingDir="/no/such"))
    first, second = armada.submit(existing, missing)
    armada.end_of(first), armada.end_of(second)

    assert armada.text(first) == str(tmp_path)
    assert armada.text(second).endswith("/no/such")


def test_each_job_has_a_private_folder(armada: Armada) -> None:
    ids = armada.submit(*[job(shell("touch mine; ls -A")) for _ in range(2)])

    for job_id in ids:
        armada.end_of(job_id)
        assert armada.text(job_id) == "mine"


def test_temporary_files_go_with_the_pod(armada: Armada) -> None:
    (job_id,) = armada.submit(job(shell("mktemp; sleep 1000")))
    armada.events_until(job_id, "running")
    wait_until(lambda: Path(armada.text(job_id)).is_file())
    file = Path(armada.text(job_id))

    armada.call(methods.Submit.CANCEL_JOBS, queue=QUEUE, job_set_id=JOB_SET, job_ids=[job_id])

    wait_until(lambda: not file.exists())


def test_init_containers_run_in_order_before_the_others(armada: Armada) -> None:
    inits = [
        shell("echo one >> ../shared-$ARMADA_JOB_ID", name="first"),
        shell("echo two >> ../shared-$ARMADA_JOB_ID", name="second"),
    ]
    main = shell("cat ../shared-$ARMADA_JOB_ID; rm ../shared-$ARMADA_JOB_ID")
    (job_id,) = armada.submit(job(main, pod={"initContainers": inits}))
    armada.end_of(job_id)

    assert armada.text(job_id, container="main") == "one\ntwo"


def test_a_failing_init_container_fails_the_job_without_running_it(armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("true"), pod={"initContainers": [shell("exit 4", name="setup")]}))

    events = armada.events_until(job_id)

    assert "running" not in [kind_of(event) for event in events]
    assert [(status.name, status.exitCode) for status in events[-1].container_statuses] == [("setup", 4)]


def test_a_sidecar_runs_beside_the_containers_and_ends_with_them(armada: Armada) -> None:
    sidecar = container("sleep", "1000", name="proxy", restartPolicy="Always")
    (job_id,) = armada.submit(job(container("true"), pod={"initContainers": [sidecar]}))

    assert kind_of(armada.end_of(job_id)) == "succeeded"


def test_a_job_ends_when_all_of_its_containers_have(armada: Armada) -> None:
    (job_id,) = armada.submit(job(shell("echo a", name="a"), shell("sleep 0.3; echo b; exit 2", name="b")))

    failed = armada.end_of(job_id)

    assert {status.name: status.exitCode for status in failed.container_statuses} == {"a": 0, "b": 2}
    assert armada.text(job_id, container="b") == "b"


def test_a_cancelled_job_gets_sigterm_and_its_grace_period(armada: Armada, tmp_path: Path) -> None:
    goodbye = tmp_path / "goodbye"
    script = f"trap 'echo bye > {goodbye}; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    (job_id,) = armada.submit(job(shell(script), pod={"terminationGracePeriodSeconds": 30}))
    armada.events_until(job_id, "running")
    wait_until(lambda: armada.text(job_id) == "ready")

    armada.call(methods.Submit.CANCEL_JOBS, queue=QUEUE, job_set_id=JOB_SET, job_ids=[job_id])

    wait_until(goodbye.exists)


def test_a_job_that_ignores_sigterm_is_killed(armada: Armada, marker: str) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    (job_id,) = armada.submit(job(shell(script, env=[{"name": "MARK", "value": marker}])))
    armada.events_until(job_id, "running")
    wait_until(lambda: armada.text(job_id) == "ready")

    armada.call(methods.Submit.CANCEL_JOBS, queue=QUEUE, job_set_id=JOB_SET, job_ids=[job_id])

    wait_until(lambda: not marked(marker))


def test_what_a_job_leaves_running_ends_with_its_main_process(armada: Armada, marker: str) -> None:
    script = "setsid sleep 1000 & (setsid sh -c 'sleep 1000' &) ; sleep 0.2"
    (job_id,) = armada.submit(job(shell(script, env=[{"name": "MARK", "value": marker}])))

    assert kind_of(armada.end_of(job_id)) == "succeeded"

    wait_until(lambda: not marked(marker))


def sidecar(handler: dict[str, object], **probe: object) -> object:
    """Return a sidecar that is ready half a second after its start."""
    script = "import http.server, time; time.sleep(0.5); open('ready', 'w').close(); s = http.server.HTTPServer"
    script += "(('127.0.0.1', PORT), http.server.SimpleHTTPRequestHandler); s.serve_forever()"
    port = free_port()
    return container(
        sys.executable,
        "-c",
        script.replace("PORT", str(port)),
        name="proxy",
        restartPolicy="Always",
        ports=[{"name": "http", "containerPort": port}],
        startupProbe={"handler": handler, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 30, **probe},
    )


@pytest.mark.parametrize(
    "handler",
    [
        {"exec": {"command": ["test", "-e", "ready"]}},
        {"httpGet": {"path": "/", "port": {"type": 1, "strVal": "http"}}},
        {"tcpSocket": {"port": {"type": 1, "strVal": "http"}}},
    ],
    ids=["exec", "httpGet", "tcpSocket"],
)
def test_the_startup_probe_of_a_sidecar_is_waited_for(armada: Armada, handler: dict[str, object]) -> None:
    (job_id,) = armada.submit(job(shell("test -e ready"), pod={"initContainers": [sidecar(handler)]}))

    assert kind_of(armada.end_of(job_id)) == "succeeded"


def test_a_startup_probe_that_fails_too_often_fails_the_pod(armada: Armada) -> None:
    proxy = sidecar({"exec": {"command": ["false"]}}, failureThreshold=2)
    (job_id,) = armada.submit(job(container("true"), pod={"initContainers": [proxy]}))

    failed = armada.end_of(job_id)

    assert kind_of(failed) == "failed"
    assert "container proxy: its startup probe has failed 2 times" in failed.reason


def test_so_does_what_has_left_its_session_and_forgotten_its_environment(armada: Armada) -> None:
    script = "env -i setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!; sleep 0.2"
    (job_id,) = armada.submit(job(shell(script)))

    assert kind_of(armada.end_of(job_id)) == "succeeded"

    wait_until(lambda: not alive([int(armada.text(job_id))]))


def test_a_pod_that_cannot_be_started_for_whatever_reason_fails(armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("true", workingDir="a\0b")))

    failed = armada.end_of(job_id)

    assert kind_of(failed) == "failed"
    assert "Unable to start pod" in failed.reason


def test_stopping_the_server_leaves_no_process(marker: str) -> None:
    with StandaloneArmada() as server:
        server.create_queue(QUEUE)
        armada = Armada(server.target)
        (job_id,) = armada.submit(job(shell(FORKS, env=[{"name": "MARK", "value": marker}])))
        armada.events_until(job_id, "running")
        wait_until(lambda: len(marked(marker)) >= 4)

    assert marked(marker) == []


@pytest.fixture
def server_process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server that runs as a program, and the target that its ready line names."""
    command = [sys.executable, "-m", "airflow_armada.standalone", "--port", "0", "--queue", QUEUE]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()[-1]
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_killed_leaves_no_process_and_no_folder(
    server_process: tuple[subprocess.Popen[str], str], marker: str, number: signal.Signals, tmp_path: Path
) -> None:
    process, target = server_process
    armada = Armada(target)
    (job_id,) = armada.submit(job(shell(FORKS, env=[{"name": "MARK", "value": marker}])))
    armada.events_until(job_id, "running")
    wait_until(lambda: len(marked(marker)) >= 4)

    process.send_signal(number)

    assert process.wait(timeout=20) == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    wait_until(lambda: not marked(marker))
    wait_until(lambda: list(tmp_path.iterdir()) == [])


def test_what_a_killed_server_and_its_supervisor_left_is_removed_at_the_next_start(
    server_process: tuple[subprocess.Popen[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marker: str
) -> None:
    process, target = server_process
    variables = [{"name": "MARK", "value": marker}]
    (job_id,) = Armada(target).submit(job(shell("echo $PPID; sleep 1000", env=variables)))
    wait_until(lambda: Armada(target).log_code(job_id).name == "OK" and Armada(target).text(job_id) != "")
    supervisor = int(Armada(target).text(job_id))
    os.kill(supervisor, signal.SIGSTOP)
    process.kill()
    process.wait(20)
    os.kill(supervisor, signal.SIGKILL)
    (left,) = tmp_path.iterdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)

    with StandaloneArmada():
        assert not left.exists()
        wait_until(lambda: not marked(marker))
    assert list(tmp_path.iterdir()) == []


def test_a_work_folder_is_one_servers_and_is_swept_at_its_start(tmp_path: Path) -> None:
    (tmp_path / "pods" / "left over").mkdir(parents=True)
    (tmp_path / "of somebody else").touch()

    with StandaloneArmada(work_dir=tmp_path):
        assert list((tmp_path / "pods").iterdir()) == []
        with pytest.raises(OSError, match="is used by another embedded Armada"):
            StandaloneArmada(work_dir=tmp_path).start()
    assert {path.name for path in tmp_path.iterdir()} == {"of somebody else", ".lock"}


FORKING_SERVER = f"""
import os, time
from airflow_armada.standalone.server import StandaloneArmada
server = StandaloneArmada().start()
server.create_queue("{QUEUE}")
child = os.fork()
if child == 0:
    time.sleep(1000)
print(server.target, child, flush=True)
time.sleep(1000)
"""


def test_a_forked_child_of_a_killed_server_keeps_no_job_alive(marker: str) -> None:
    with subprocess.Popen([sys.executable, "-c", FORKING_SERVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        target, child = process.stdout.readline().split()
        armada = Armada(target)
        (job_id,) = armada.submit(job(container("sleep", "1000", env=[{"name": "MARK", "value": marker}])))
        armada.events_until(job_id, "running")

        process.kill()

        wait_until(lambda: not marked(marker))
        os.kill(int(child), signal.SIGKILL)


def test_jobs_go_on_being_started_after_the_supervisor_was_killed(armada: Armada, marker: str) -> None:
    (lost,) = armada.submit(job(shell("echo $PPID; sleep 1000", env=[{"name": "MARK", "value": marker}])))
    wait_until(lambda: armada.log_code(lost).name == "OK" and armada.text(lost) != "")

    os.kill(int(armada.text(lost)), signal.SIGKILL)

    assert kind_of(armada.end_of(lost)) == "failed"
    wait_until(lambda: not marked(marker))
    (job_id,) = armada.submit(job(container("true")))
    assert kind_of(armada.end_of(job_id)) == "succeeded"


def test_many_jobs_at_once(server: StandaloneArmada, armada: Armada) -> None:
    ids = armada.submit(*[job(container("sleep", "1", cpu="1m", memory="1Mi")) for _ in range(200)])

    ended = {}
    for message in armada.watch():
        kind = message.message.WhichOneof("events")
        if kind in ("succeeded", "failed"):
            ended[getattr(message.message, kind).job_id] = kind
        if len(ended) == len(ids):
            break

    assert ended == dict.fromkeys(ids, "succeeded")


def test_what_is_not_applied_is_told_in_the_log(armada: Armada) -> None:
    main = shell("echo hello", securityContext={"capabilities": {"add": ["NET_ADMIN"]}})
    pod = {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}]}
    (job_id,) = armada.submit(job(main, pod=pod))

    assert kind_of(armada.end_of(job_id)) == "succeeded"
    assert armada.text(job_id).splitlines() == [
        "armada-standalone: not applied here: hostAliases, containers[main].securityContext.capabilities",
        "hello",
    ]
