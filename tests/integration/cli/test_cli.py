"""The command line as its users meet it: a process, its output and its exit code."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from airflow_armada import __version__
from airflow_armada.cli.arguments import COMMANDS
from airflow_armada.cli.output import width
from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.oidc import Person, oidc_provider
from tests.support.sites import SCRIPT

COMMAND = [sys.executable, "-m", "airflow_armada.cli.main"]
PASSWORD, TOKEN = "CANARY-password-0123456789", "CANARY-token-0123456789"


def environment(server: StandaloneArmada | None, **extra: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "AIRFLOW_HOME", "PYTHONPATH") if name in os.environ}
    url = {} if server is None else {"ARMADA_URL": f"grpc://{server.target}?binoculars={server.target}"}
    return {**kept, **url, **extra}


def run(
    *arguments: str, server: StandaloneArmada | None = None, stdin: str = "", **extra: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(server, **extra),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "CANARY" not in done.stdout + done.stderr
    return done


def values(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def submitted(server: StandaloneArmada, text: str = SCRIPT) -> str:
    done = run("submit", "-", "--json", server=server, stdin=text)
    assert done.returncode == 0, done.stderr
    return str(values(done)[0]["job"])


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_has_help(command: str) -> None:
    done = run(command, "--help")

    assert done.returncode == 0
    assert "exit codes" in done.stdout


def test_a_job_from_submit_to_its_log(armada: StandaloneArmada) -> None:
    job = submitted(armada)

    watched = run("watch", "q", "set", server=armada)
    assert watched.returncode == 0
    assert "succeeded" in watched.stdout
    assert "1/1 jobs ended (1 succeeded)" in watched.stdout
    assert "\r" not in watched.stdout

    log = run("logs", job, "--follow", server=armada)
    assert (log.returncode, log.stdout) == (0, "hello from the job\n")
    assert values(run("logs", job, "--json", server=armada))[0]["line"] == "hello from the job"
    why = run("why", job, "--json", server=armada)
    assert values(why)[0]["state"] == "SUCCEEDED"


def test_watch_tells_programs_about_failures(armada: StandaloneArmada) -> None:
    job = submitted(armada, SCRIPT.replace("print('hello from the job')", "raise SystemExit(3)"))

    done = run("watch", "q", "set", "--json", server=armada)

    last = values(done)[-1]
    assert done.returncode == 1
    assert (last["job"], last["state"], last["exit_codes"]) == (job, "failed", {"main": 3})


def test_watch_shows_progress_on_a_terminal(armada: StandaloneArmada) -> None:
    submitted(armada)

    shown = on_terminal(*pty.openpty(), ["watch", "q", "set"], environment(armada))

    assert re.search(r"\r\x1b\[K\d/1 jobs ended", shown)


def on_terminal(ours: int, theirs: int, arguments: list[str], env: dict[str, str]) -> str:
    """Run a command at a terminal and return all that it shows there."""
    process = subprocess.Popen([*COMMAND, *arguments], env=env, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:
        pass  # how a terminal ends on Linux
    os.close(ours)
    assert process.wait(30) in (0, 1)
    return shown.decode()


def test_a_job_is_cancelled_with_a_reason(armada: StandaloneArmada) -> None:
    job = submitted(armada, SCRIPT.replace("print('hello from the job')", "import time; time.sleep(300)"))

    done = run("cancel", job, "--reason", "not needed", server=armada)

    assert done.returncode == 0
    assert run("watch", "q", "set", server=armada).returncode == 1
    assert values(run("why", job, "--json", server=armada))[0]["state"] == "CANCELLED"


def test_why_a_job_waits(armada: StandaloneArmada) -> None:
    big = SCRIPT.replace("cpu: 100m", "cpu: 100000")
    done = run("submit", "-", "--json", server=armada, stdin=big)
    if done.returncode:
        pytest.skip("the server refuses a job that can never run")

    why = values(run("why", str(values(done)[0]["job"]), "--json", server=armada))[0]

    assert why["state"] in {"QUEUED", "REJECTED"}
    assert why["explanation"]


def test_why_a_job_of_a_cordoned_queue_waits(armada: StandaloneArmada) -> None:
    run("cordon", "q", server=armada)
    job = submitted(armada)

    why = values(run("why", job, "--json", server=armada))[0]

    assert (why["state"], why["source"]) == ("QUEUED", "queue and scheduler")
    assert why["explanation"].startswith("queue q is cordoned")


def test_why_a_job_of_an_incomplete_gang_waits(armada: StandaloneArmada) -> None:
    gang = '- annotations: {armadaproject.io/gangId: band, armadaproject.io/gangCardinality: "3"}\n  namespace:'
    job = submitted(armada, SCRIPT.replace("- namespace:", gang))

    why = values(run("why", job, "--json", server=armada))[0]

    assert why["state"] == "QUEUED"
    assert "one of a gang of 3, of which none starts before all have been submitted" in str(why["explanation"])


def test_queues_are_listed(armada: StandaloneArmada) -> None:
    done = run("queues", server=armada)

    assert done.stdout.splitlines()[0].split() == ["QUEUE", "PRIORITY", "FACTOR", "CORDONED"]
    assert values_of_queues(run("queues", "--json", server=armada)) == ["q"]


def values_of_queues(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [queue["name"] for queue in json.loads(done.stdout)]


def test_results_alone_go_to_standard_output(armada: StandaloneArmada) -> None:
    done = run("submit", "-", server=armada, stdin=SCRIPT)

    assert re.fullmatch(r"[0-9a-z]{26}\n", done.stdout)
    assert run("logs", done.stdout.strip(), "--follow", server=armada).stdout == "hello from the job\n"


def test_the_same_file_is_not_submitted_twice_unless_that_is_wanted(armada: StandaloneArmada) -> None:
    first, second, third = (
        submitted(armada),
        submitted(armada),
        run("submit", "-", "--again", server=armada, stdin=SCRIPT),
    )

    assert first == second
    assert third.stdout.strip() != first


def test_a_file_of_which_a_part_was_submitted_is_finished_by_a_second_run(armada: StandaloneArmada) -> None:
    head, job = SCRIPT.split("jobs:\n")
    broken = [job.replace("  podSpec:", "  podSpec:\n    priorityClassName: no-such-class")] * 3
    first = run("submit", "-", server=armada, stdin=f"{head}jobs:\n{job * 55}{''.join(broken)}{job * 2}")
    second = run("submit", "-", server=armada, stdin=f"{head}jobs:\n{job * 60}")

    there, again = first.stdout.split(), second.stdout.split()
    assert (first.returncode, second.returncode) == (3, 0)
    assert "50 of 60 jobs were submitted, see above; the same command sends the rest" in first.stderr
    assert "no-such-class" in first.stderr
    assert (len(there), len(again)) == (50, 60)
    assert again[:50] == there
    assert len(run("jobs", "q", "set", server=armada).stdout.splitlines()) == 1 + 60


def test_the_logs_of_several_containers_say_who_wrote_what(armada: StandaloneArmada) -> None:
    one = SCRIPT[SCRIPT.index("    - name: main") :]
    job = submitted(
        armada, SCRIPT + one.replace("name: main", "name: side").replace("hello from the job", "hello from the side")
    )

    done = run("logs", job, "--follow", server=armada)

    assert sorted(done.stdout.splitlines()) == ["[main] hello from the job", "[side] hello from the side"]
    assert run("logs", job, "--container", "side", server=armada).stdout == "hello from the side\n"


def test_no_line_is_wider_than_the_terminal(armada: StandaloneArmada) -> None:
    named = SCRIPT.replace(
        "  priority: 1", '  priority: 1\n  annotations: {airflow.apache.org/task-id: "訓練' + "訓" * 40 + '"}'
    )
    assert named != SCRIPT
    submitted(armada, named.replace("print('hello from the job')", "raise SystemExit(3)"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))

    shown = on_terminal(ours, theirs, ["watch", "q", "set"], environment(armada))

    lines = [re.sub(r"\x1b\[K", "", line) for line in re.split(r"[\r\n]+", shown)]
    assert [line for line in lines if "訓練" in line]
    assert max(width(line) for line in lines) <= 60


def test_a_dry_run_can_be_submitted(armada: StandaloneArmada) -> None:
    shown = run("submit", "-", "--dry-run", server=armada, stdin=SCRIPT).stdout

    assert run("submit", "-", "--dry-run", server=armada, stdin=shown).stdout == shown
    assert submitted(armada, shown)


def test_submit_waits_for_the_end(armada: StandaloneArmada) -> None:
    good = run("submit", "-", "--wait", server=armada, stdin=SCRIPT)
    bad = run("submit", "-", "--wait", server=armada, stdin=SCRIPT.replace("print('hello from the job')", "exit(3)"))

    assert (good.returncode, bad.returncode) == (0, 1)
    assert "exit code 3" in bad.stdout


def test_jobs_are_listed_with_their_state(armada: StandaloneArmada) -> None:
    job = submitted(armada)
    run("watch", "q", "set", server=armada)

    head, row = run("jobs", "q", "set", server=armada).stdout.splitlines()
    assert head.split() == ["JOB", "TASK", "STATE", "AGE", "CLUSTER", "REASON"]
    assert row.split()[:2] == [job, "succeeded"]
    assert values(run("jobs", "q", "set", "--state", "succeeded", "--json", server=armada))[0]["job"] == job
    assert run("jobs", "q", "set", "--state", "failed", "--json", server=armada).stdout == ""


def test_a_job_set_is_cancelled(armada: StandaloneArmada) -> None:
    submitted(armada, SCRIPT.replace("print('hello from the job')", "import time; time.sleep(300)"))

    assert run("cancel", "--job-set", "set", "--queue", "q", server=armada).returncode == 0
    assert "cancelled" in run("watch", "q", "set", server=armada).stdout
    assert run("cancel", server=armada).returncode == 2


def test_a_queued_job_gets_another_priority_and_a_queue_is_looked_after(armada: StandaloneArmada) -> None:
    assert run("cordon", "q", server=armada).returncode == 0
    job = submitted(armada)
    changed = run("reprioritize", job, "--priority", "7", server=armada)
    assert changed.stdout == f"{job}: priority 7\n"
    assert run("preempt", job, "--reason", "room", server=armada).returncode == 0
    assert run("uncordon", "q", server=armada).returncode == 0
    assert run("create-queue", "other", "--priority-factor", "3", "--owner", "ada", server=armada).returncode == 0
    assert run("update-queue", "other", "--priority-factor", "2", server=armada).returncode == 0
    assert ["other", "2", "no"] in [line.split() for line in run("queues", server=armada).stdout.splitlines()]


def test_a_dry_run_shows_the_request_and_submits_nothing(armada: StandaloneArmada) -> None:
    done = run("submit", "-", "--dry-run", server=armada, stdin=SCRIPT)

    assert done.returncode == 0
    assert "jobSetId: set" in done.stdout
    assert not armada.calls


def test_limits_alone_are_completed_visibly(armada: StandaloneArmada) -> None:
    requests = "requests: {cpu: 100m, memory: 64Mi}, "
    assert requests in SCRIPT

    done = run("submit", "-", "--dry-run", server=armada, stdin=SCRIPT.replace(requests, ""))

    assert done.returncode == 0
    assert "note: container 'main': requests set to the limits (cpu 100m, memory 64Mi)" in done.stderr
    assert "requests:\n          cpu: 100m\n" in done.stdout


def test_priority_classes_are_those_of_the_site(armada: StandaloneArmada, tmp_path: Path) -> None:
    own = SCRIPT.replace("podSpec:", "podSpec:\n    priorityClassName: urgent")
    home = {"AIRFLOW_HOME": str(tmp_path)}
    rules = {"AIRFLOW__ARMADA__SERVER_RULES": '{"priority_classes": ["urgent"]}'}

    others = {"AIRFLOW__ARMADA__SERVER_RULES": '{"priority_classes": ["batch"]}'}
    refused = run("submit", "-", "--dry-run", "--conn-id", "armada_x", stdin=own, **home, **others)
    accepted = run("submit", "-", "--dry-run", "--conn-id", "armada_x", stdin=own, **home, **rules)
    unknown = run("submit", "-", "--dry-run", server=armada, stdin=own)

    assert refused.returncode == 1
    assert "must be one of batch" in refused.stdout
    assert (accepted.returncode, unknown.returncode) == (0, 0)
    assert "priority class 'urgent' is not one that Armada ships" in unknown.stderr


def test_a_job_that_is_not_valid_is_said_to_be_so(armada: StandaloneArmada) -> None:
    done = run("submit", "-", "--json", server=armada, stdin=SCRIPT.replace("name: main", "name: Main"))

    assert done.returncode == 1
    assert values(done)[0]["valid"] is False
    assert not armada.calls


def test_a_job_that_nobody_knows(armada: StandaloneArmada) -> None:
    for command in ("why", "logs", "cancel"):
        done = run(command, "01k00000000000000000000000", server=armada)
        assert done.returncode == 3
        assert "does not know job" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("check", "--uri", "h:1", "--conn-id", "c"), 2),
        (("queues", "--uri", "h:1", "--context", "c"), 2),
        (("queues", "--uri", f"ftp://ada:{PASSWORD}@h:1"), 3),
        (("queues", "--uri", f"grpc://ada:{PASSWORD}@h:99999"), 3),
        (("queues", "--uri", "grpcs://h:1?tls=maybe"), 3),
        (("queues", "--uri", f"grpcs://h:1?token={TOKEN}&token_file=/x"), 3),
        (("queues", "--uri", f"grpc://h:1?token={TOKEN}"), 3),
        (("queues", "--armadactl", "/nowhere"), 3),
        (("queues", "--conn-id", "no_such_connection"), 3),
        (("submit", "/nowhere.yaml"), 3),
        (("login", "--provider-url", "http://127.0.0.1:1"), 2),
        (("login", "--provider-url", "http://127.0.0.1:1", "--client-id", "c"), 3),
        (("login", "--provider-url", "nonsense", "--client-id", "c"), 3),
    ],
)
def test_what_cannot_work_ends_with_one_line(arguments: tuple[str, ...], code: int) -> None:
    done = run(*arguments)

    assert done.returncode == code
    assert done.stdout == ""
    if code == 3:
        assert len(done.stderr.splitlines()) == 1


def test_the_version_is_shown() -> None:
    assert run("--version").stdout == f"airflow-armada {__version__}\n"


def test_whoever_names_no_site_is_told_how_to_name_one() -> None:
    done = run("queues")

    assert done.returncode == 3
    assert "no Airflow connection 'armada_default'" in done.stderr
    assert "--uri, --armadactl or $ARMADA_URL" in done.stderr


def test_a_full_disk_is_no_mystery(armada: StandaloneArmada) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "queues"],
            env=environment(armada),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 3
    assert done.stderr == "airflow-armada: cannot read or write: No space left on device\n"


def test_errors_are_json_for_programs() -> None:
    done = run("queues", "--uri", "localhost:1", "--json")

    assert done.returncode == 3
    assert "UNAVAILABLE" in json.loads(done.stderr)["error"]


def test_a_check_with_a_password_from_the_environment() -> None:
    with StandaloneArmada(credentials=Credentials(users={"ada": PASSWORD})) as server:
        server.create_queue("q")
        url = f"grpc://ada:{PASSWORD}@{server.target}?allow_plaintext_credentials=true"
        good = run("check", "--queue", "q", ARMADA_URL=url)
        bad = run("check", "--json", ARMADA_URL=url.replace(PASSWORD, "CANARY-wrong"))

    assert good.returncode == 0, good.stdout
    assert bad.returncode == 1
    assert json.loads(bad.stdout)["ok"] is False


def test_a_check_with_armadactls_file(tmp_path: Path) -> None:
    with StandaloneArmada(credentials=Credentials(users={"ada": PASSWORD})) as server:
        server.create_queue("q")
        file = tmp_path / "armadactl.yaml"
        file.write_text(
            f"currentContext: main\ncontexts:\n  main:\n    armadaUrl: {server.target}\n    forceNoTls: true\n"
            f"    basicAuth: {{username: ada, password: {PASSWORD}}}\n"
        )
        assert run("queues", "--armadactl", str(file)).returncode == 0
        assert run("queues", "--armadactl", str(file), "--context", "other").returncode == 3


def test_a_login_with_a_device_serves_later_calls(tmp_path: Path) -> None:
    with (
        oidc_provider(tokenLifetime=60) as provider,
        StandaloneArmada(credentials=Credentials(verify_token=provider.verify)) as server,
    ):
        server.create_queue("q")
        cache = str(tmp_path / "tokens.json")
        url = (
            f"grpc://{server.target}?auth=oidc_login&oidc_provider_url={provider.issuer}&oidc_client_id=person"
            f"&oidc_scopes=offline_access%20jobs&allow_plaintext_credentials=true"
        )
        variables = environment(None, ARMADA_URL=url, ARMADA_TOKEN_CACHE=cache)
        before = run("queues", **variables)
        process = subprocess.Popen([*COMMAND, "login"], env=variables, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        address = re.search(r"http\S+", [process.stderr.readline(), process.stderr.readline()][1])
        assert address is not None
        Person().visit(address[0])
        assert process.wait(30) == 0
        process.stderr.close()
        after = run("queues", **variables)

    assert (before.returncode, after.returncode) == (3, 0)
    assert "airflow-armada login" in before.stderr


def test_an_interrupted_watch_says_so_by_its_exit_code(armada: StandaloneArmada) -> None:
    submitted(armada, SCRIPT.replace("print('hello from the job')", "import time; time.sleep(300)"))
    process = subprocess.Popen(
        [*COMMAND, "watch", "q", "set"],
        env=environment(armada),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    deadline = time.monotonic() + 30
    while "running" not in process.stdout.readline():
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "Traceback" not in errors


def test_an_interrupt_that_python_drops_ends_the_command_all_the_same() -> None:
    code = """
import time
from airflow_armada.cli import main
main._LAST_RESORT = 0.2
with main._interruptible():
    while True:
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            pass
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"  # it is where interrupts are dropped

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert process.returncode == 130


def test_airflows_own_command_line_has_the_same_commands(armada: StandaloneArmada) -> None:
    airflow = Path(sys.executable).with_name("airflow")
    done = subprocess.run(
        [airflow, "armada", "queues", "--json"],
        env=environment(armada),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])[0]["name"] == "q"
