"""Build the package and look at it as a package index and a user would: ``python -m scripts.dist``.

Builds the sdist, and from it the wheel, into ``dist/``; checks both; lets the sdist regenerate and test itself;
installs the wheel beside Airflow, with the versions that development uses and with the lowest that are declared.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from scripts.audit import lowest_versions
from scripts.environment import AIRFLOWS, CONSTRAINTS, DEVELOPMENT, ROOT, uv_variables

DIST = ROOT / "dist"
WORK = ROOT / ".cache" / "dist"
TOOLS = ROOT / ".venv-tools" / "bin"
PYTHON = Path(sys.executable)
UV = PYTHON.parent / "uv"
OLDEST = next(iter(AIRFLOWS))
# What an installed package must be able to do: a server, a job on it, and Airflow's list of providers.
TRIAL = """
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow.providers_manager import ProvidersManager

assert "armada" in ProvidersManager().hooks, "Airflow does not know the connection type"
assert "airflow-armada" in ProvidersManager().providers, "Airflow does not know the provider"
with StandaloneArmada() as server:
    server.create_queue("trial")
    with open_channel(SiteSettings(target=server.target, tls=None)) as channel:
        assert ArmadaClient(channel).get_queue("trial").name == "trial"
"""


def run(*command: str | Path, cwd: Path = ROOT, **env: str) -> None:
    """Run a command, and end with its exit code if it fails."""
    print("+", *(str(part).replace(f"{ROOT}/", "") for part in command[:8]), flush=True)
    done = subprocess.run([str(part) for part in command], cwd=cwd, env={**os.environ, **env}, check=False)
    if done.returncode:
        raise SystemExit(f"dist.py: {command[0]} failed, see above")


def build() -> tuple[Path, Path]:
    """Build both and return the sdist and the wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(TOOLS / "python", "-m", "build", "--outdir", DIST, ROOT)
    (sdist,), (wheel,) = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    return sdist, wheel


def check(sdist: Path, wheel: Path) -> None:
    """Let the usual linters of packages judge."""
    run(TOOLS / "twine", "check", "--strict", sdist, wheel)
    run(TOOLS / "check-wheel-contents", wheel)
    # The authors have no address for mail before they publish the package under one.
    run(TOOLS / "pyroma", "--min=10", "--skip-tests=AuthorEmail", sdist)


def unpack_and_test(sdist: Path) -> None:
    """Regenerate and test what the sdist holds: all tests find their files, and those of the API run."""
    with tarfile.open(sdist) as archive:
        archive.extractall(WORK, filter="data")
    (folder,) = WORK.glob("airflow_armada-*")
    run(PYTHON, "scripts/generate_api.py", "--check", cwd=folder, PYTHONPATH=str(folder))
    pytest = (PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    run(*pytest, "--collect-only", "-qq", "tests", "--ignore=tests/peer", cwd=folder, PYTHONPATH=str(folder))
    run(
        *pytest, "tests/unit/api", "tests/unit/support", "tests/unit/test_compat.py", cwd=folder, PYTHONPATH=str(folder)
    )


def install(wheel: Path, name: str, *options: str | Path) -> Path:
    """Install the wheel into an environment of its own, try it there, and return where its commands are."""
    folder = WORK / name
    python = folder / "bin" / "python"
    env = uv_variables(PYTHON)
    run(UV, "venv", "--quiet", "--python", PYTHON, folder, **env)
    run(UV, "pip", "install", "--quiet", "--python", python, wheel, *options, **env)
    run(UV, "pip", "check", "--python", python, **env)
    home = {"AIRFLOW_HOME": str(WORK / f"{name}-home"), "PYTHONPATH": ""}
    run(python, "-c", TRIAL, cwd=WORK, **home)
    run(folder / "bin" / "airflow-armada", "--help", cwd=WORK, **home)
    return folder / "bin"


def others_of_the_oldest() -> Path:
    """Return the pins of the oldest Airflow without those that protobuf's version decides."""
    moved = ("grpcio", "googleapis", "importlib-metadata", "opentelemetry", "pendulum", "protobuf", "pyyaml")
    pins = (CONSTRAINTS / f"airflow-{OLDEST}.txt").read_text().splitlines()
    file = WORK / "oldest.txt"
    file.write_text("\n".join(pin for pin in pins if not pin.startswith(moved)))
    return file


def main() -> None:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    sdist, wheel = build()
    check(sdist, wheel)
    unpack_and_test(sdist)
    commands = install(wheel, "newest", "--constraint", CONSTRAINTS / f"airflow-{DEVELOPMENT}.txt")
    run(commands / "airflow-armada", "demo", "--home", WORK / "demo", cwd=WORK, PYTHONPATH="")
    install(wheel, "lowest", *lowest_versions(), "--constraint", others_of_the_oldest())
    print(f"=== {sdist.name} and {wheel.name} are good: built, checked, tested and installed")


if __name__ == "__main__":
    main()
