"""Volumes: what containers see at the paths where they mount them, and that nothing is written elsewhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_armada.standalone.config import Config, Provided
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import QUEUE, Armada, container, job, kind_of, mounts_work, shell, wait_until

pytestmark = pytest.mark.skipif(not mounts_work(), reason="this user cannot have mounts of its own")


@pytest.fixture
def lent(tmp_path: Path) -> Path:
    """A folder of this machine that jobs may see."""
    (tmp_path / "lent").mkdir()
    (tmp_path / "lent" / "file").write_text("lent")
    return tmp_path / "lent"


@pytest.fixture
def server(lent: Path) -> Iterator[StandaloneArmada]:
    provided = Provided(
        config_maps={"settings": {"level": "high", "colour": "green"}},
        secrets={"login": {"password": "hunter2"}},
        host_paths=(str(lent),),
    )
    with StandaloneArmada(cpus=2, memory="4Gi", config=Config(cycle=0.01, provided=provided)) as running:
        running.create_queue(QUEUE)
        yield running


def volume(name: str, **source: Any) -> dict[str, Any]:
    return {"name": name, "volumeSource": source}


def mount(name: str, path: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "mountPath": path, **fields}


def outcome(armada: Armada, *containers: Any, volumes: list[dict[str, Any]], **pod: Any) -> tuple[str, str]:
    """Run a job and return how it ends and the log of its container ``main``, or why it failed."""
    (job_id,) = armada.submit(job(*containers, pod={"volumes": volumes, **pod}))
    end = armada.end_of(job_id)
    return kind_of(end), armada.text(job_id, container="main") if kind_of(end) == "succeeded" else end.reason


def test_containers_share_an_empty_folder(armada: Armada) -> None:
    writer = shell("echo hello > /data/deep/inside", name="writer", volumeMounts=[mount("work", "/data/deep")])
    reader = shell("cat /elsewhere/inside", volumeMounts=[mount("work", "/elsewhere")])

    found = outcome(armada, reader, volumes=[volume("work", emptyDir={})], initContainers=[writer])

    assert found == ("succeeded", "hello")
    assert not Path("/data/deep").exists()
    assert not Path("/elsewhere").exists()


def test_a_mount_hides_what_the_machine_has_there_and_leaves_it_alone(armada: Armada, tmp_path: Path) -> None:
    (tmp_path / "of the machine").touch()
    script = f"ls {tmp_path}; echo x > {tmp_path}/new; ls {tmp_path}"

    found = outcome(
        armada, shell(script, volumeMounts=[mount("work", str(tmp_path))]), volumes=[volume("work", emptyDir={})]
    )

    assert found == ("succeeded", "new")
    assert not (tmp_path / "new").exists()


def test_config_maps_and_secrets_are_files_and_variables(armada: Armada) -> None:
    reader = shell(
        "cat /etc/settings/level /etc/settings/colour /secret/word; echo; echo $PASSWORD $level",
        volumeMounts=[mount("settings", "/etc/settings", readOnly=True), mount("login", "/secret")],
        env=[
            {
                "name": "PASSWORD",
                "valueFrom": {"secretKeyRef": {"localObjectReference": {"name": "login"}, "key": "password"}},
            }
        ],
        envFrom=[{"configMapRef": {"localObjectReference": {"name": "settings"}}}],
    )
    volumes = [
        volume("settings", configMap={"localObjectReference": {"name": "settings"}}),
        volume("login", secret={"secretName": "login", "items": [{"key": "password", "path": "word"}]}),
    ]

    assert outcome(armada, reader, volumes=volumes) == ("succeeded", "highgreenhunter2\nhunter2 high")


def test_a_path_of_the_machine_is_seen_only_if_it_is_lent(armada: Armada, lent: Path) -> None:
    reader = shell(
        "cat /lent/file; touch /lent/new 2>/dev/null || echo kept", volumeMounts=[mount("m", "/lent", readOnly=True)]
    )

    assert outcome(armada, reader, volumes=[volume("m", hostPath={"path": str(lent)})]) == ("succeeded", "lentkept")
    for path in ("/etc", f"{lent}/../..", str(lent.parent)):
        kind, reason = outcome(armada, reader, volumes=[volume("m", hostPath={"path": path})])
        assert kind == "failed"
        assert f"volume \"m\" is the path '{path}' of this machine" in reason


def test_a_command_starts_in_a_folder_of_a_volume(armada: Armada) -> None:
    reader = shell("pwd", workingDir="/data/inner", volumeMounts=[mount("work", "/data")])

    assert outcome(armada, reader, volumes=[volume("work", emptyDir={})]) == ("succeeded", "/data/inner")


@pytest.mark.parametrize(
    ("volumes", "mounts", "problem"),
    [
        (
            [volume("disk", persistentVolumeClaim={"claimName": "c"})],
            [mount("disk", "/d")],
            'volume "disk" is of the kind persistentVolumeClaim',
        ),
        ([], [mount("nowhere", "/d")], 'names the volume "nowhere", which the pod does not have'),
        ([volume("m", configMap={"localObjectReference": {"name": "nope"}})], [], 'config map "nope" not found'),
        ([volume("w", emptyDir={})], [mount("w", "/")], "must be an absolute path other than /"),
        ([volume("w", emptyDir={})], [mount("w", "/a/../../etc")], "must be an absolute path other than /"),
        ([volume("w", emptyDir={})], [mount("w", "/d", subPath="../..")], "subPath must be relative"),
        ([volume("../../up", emptyDir={})], [], "must be named in lower-case letters"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(
    armada: Armada, volumes: list[dict[str, Any]], mounts: list[dict[str, Any]], problem: str
) -> None:
    kind, reason = outcome(armada, container("true", volumeMounts=mounts), volumes=volumes)

    assert kind == "failed"
    assert problem in reason


def test_a_volume_that_holds_more_than_it_may_evicts_its_pod(armada: Armada) -> None:
    filler = shell("head -c 3000000 /dev/zero > /data/big; sleep 1000", volumeMounts=[mount("work", "/data")])

    kind, reason = outcome(armada, filler, volumes=[volume("work", emptyDir={"sizeLimit": {"string": "1Mi"}})])

    assert (kind, reason) == ("failed", 'Usage of EmptyDir volume "work" exceeds the limit "1048576". ')


def test_resources_maps_and_paths_come_from_the_command_line(tmp_path: Path, lent: Path) -> None:
    (tmp_path / "map").mkdir()
    (tmp_path / "map" / "key").write_text("value")
    command = [sys.executable, "-m", "airflow_armada.standalone", "--port", "0", "--queue", QUEUE]
    options = ["--config-map", f"m={tmp_path}/map", "--allow-host-path", str(lent), "--resource", "nvidia.com/gpu=1"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        armada = Armada(process.stdout.readline().split()[-1])
        amounts = {name: {"string": text} for name, text in (("cpu", "1"), ("memory", "1Gi"), ("nvidia.com/gpu", "1"))}
        reader = shell("cat /m/key", volumeMounts=[mount("m", "/m")])
        reader.resources.CopyFrom(type(reader.resources)(requests=amounts, limits=amounts))
        maps = [volume("m", configMap={"localObjectReference": {"name": "m"}})]

        assert outcome(armada, reader, volumes=maps) == ("succeeded", "value")
        reader.resources.requests["nvidia.com/gpu"].string = reader.resources.limits["nvidia.com/gpu"].string = "2"
        kind, reason = outcome(armada, reader, volumes=maps)
        assert kind == "failed"
        assert "nvidia.com/gpu=2" in reason
        process.terminate()


def test_the_machine_is_as_before(armada: Armada) -> None:
    """Mounts are seen by their own container only."""
    writer = shell("sleep 1000", volumeMounts=[mount("work", "/data")])
    (job_id,) = armada.submit(job(writer, pod={"volumes": [volume("work", emptyDir={})]}))
    armada.events_until(job_id, "running")

    wait_until(lambda: "standalone" not in Path("/proc/self/mounts").read_text())
    (other,) = armada.submit(job(shell("ls /data 2>/dev/null; true")))
    assert kind_of(armada.end_of(other)) == "succeeded"
    assert armada.text(other) == ""
