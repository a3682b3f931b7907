"""Make the virtual environments of this project: ``python3 scripts/environment.py [dev|older|peer|protobuf ...]``.

Needs nothing but Python 3.11 or newer. A finished environment carries a fingerprint of what it was made from; while
that is unchanged, the script only looks at it and returns. ``--compile-constraints`` rewrites ``constraints/``.
"""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints"
# The older versions of Airflow that are supported, with what they need that they do not ask for themselves: Airflow 3.2
# cannot build its Execution API with newer versions of FastAPI.
OLDER = {"3.1": (), "3.2": ("fastapi<0.130",)}
# pip's settings, and the variables by which uv knows the same.
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": "UV_NO_INDEX",
    "timeout": "UV_HTTP_TIMEOUT",
    "cert": "SSL_CERT_FILE",
}


@dataclass(frozen=True)
class Environment:
    """A virtual environment: where it lies, what goes into it, and the file that pins the versions."""

    folder: Path
    requirements: tuple[str, ...]
    constraints: Path | None = None

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        return self.folder / ".fingerprint"

    def fingerprint(self) -> str:
        """Return a hash of everything whose change asks for a new installation."""
        pinned = self.constraints.read_text() if self.constraints else ""
        made_from = (sys.version, str(self.folder), self.requirements, pinned, project_table())
        return hashlib.sha256(repr(made_from).encode()).hexdigest()


def project_table() -> str:
    """Return what of ``pyproject.toml`` decides what is installed."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return repr([settings[name] for name in ("build-system", "project", "dependency-groups")])


def group(name: str) -> tuple[str, ...]:
    """Return the requirements of a dependency group of ``pyproject.toml``."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    return tuple(groups[name])


def environments(name: str) -> list[Environment]:
    """Return the environments that ``name`` stands for."""
    match name:
        case "dev":
            requirements = ("--editable", str(ROOT), *group("test"), *group("lint"))
            return [Environment(ROOT / ".venv", requirements, CONSTRAINTS / "airflow-3.3.txt")]
        case "older":
            requirements = ("--editable", str(ROOT), *group("test"))
            return [
                Environment(ROOT / ".venv-airflow" / number, requirements, CONSTRAINTS / f"airflow-{number}.txt")
                for number in OLDER
            ]
        case "peer":
            return [Environment(ROOT / ".venv-peer", group("peer"), CONSTRAINTS / "peer.txt")]
        case "protobuf":
            folder = ROOT / ".venv-protobuf"
            pins = (CONSTRAINTS / "protobuf.txt").read_text().split()
            return [Environment(folder / pin.partition("==")[2], (pin,)) for pin in pins]
    raise SystemExit(f"environment.py: no environment is called {name!r}; there are dev, older, peer and protobuf")


def say(text: str) -> None:
    print(f"[environment] {text}", flush=True)


def run(*command: str | Path, env: dict[str, str] | None = None) -> bool:
    """Run a command, show its output, and return whether it succeeded."""
    parts = [str(part) for part in command]
    return subprocess.run(parts, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode == 0


def pip_settings(python: Path) -> dict[str, str]:
    """Return what this user has told pip about package indexes: option name to value, the strongest source last."""
    listed = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    settings: dict[str, str] = {}
    for source in ("global.", "install.", ":env:."):
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(source):
                settings[key.removeprefix(source)] = str(ast.literal_eval(value))
    return settings


def uv_variables(python: Path) -> dict[str, str]:
    """Return the process environment for uv: it does not read pip's configuration by itself."""
    variables = dict(os.environ)
    for option, value in pip_settings(python).items():
        name = PIP_TO_UV.get(option)
        places = [place for place in value.split() if option != "find-links" or "://" in place or Path(place).exists()]
        if name and places:
            variables.setdefault(name, " ".join(places))
    return variables


def create(folder: Path, *options: str) -> None:
    """Make an empty virtual environment, replacing what lies there."""
    shutil.rmtree(folder, ignore_errors=True)
    if not run(sys.executable, "-m", "venv", *options, folder):
        raise SystemExit("environment.py: `python3 -m venv` failed; on Debian and Ubuntu install python3-venv")


def bootstrap_uv(python: Path) -> Path | None:
    """Install uv beside ``python`` and return its path, or None where there is no uv for this machine."""
    uv = python.parent / "uv"
    pins = CONSTRAINTS / "airflow-3.3.txt"
    pinned = ("--constraint", str(pins)) if pins.exists() else ()
    if uv.exists() or run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pinned, "uv"):
        return uv
    say("uv cannot be installed here; using pip, which takes some minutes")
    return None


def install(environment: Environment, uv: Path | None) -> None:
    """Install the requirements, with uv where there is one and with pip where there is not."""
    arguments: list[str | Path] = list(environment.requirements)
    if environment.constraints:
        arguments += ["--constraint", environment.constraints]
    if uv:
        command = ("pip", "install", "--quiet", "--compile-bytecode", "--python", environment.python, *arguments)
        if run(uv, *command, env=uv_variables(uv.parent / "python")):
            return
        say("uv failed; trying the same with pip, which takes some minutes")
        run(environment.python, "-m", "ensurepip")
    if not run(environment.python, "-m", "pip", "install", "--quiet", *arguments):
        raise SystemExit(
            f"environment.py: the packages for {environment.folder.name} could not be installed, see above"
        )


def make(environment: Environment) -> None:
    """Bring one environment up to date; does nothing when it already is."""
    fingerprint = environment.fingerprint()
    if environment.stamp.exists() and environment.stamp.read_text() == fingerprint:
        return
    label = environment.folder.relative_to(ROOT)
    say(f"making {label} (Python {sys.version.split()[0]}): downloads, half a minute or some minutes ...")
    started = time.monotonic()
    main = ROOT / ".venv" / "bin" / "python"
    if environment.python == main or not main.exists():
        create(environment.folder)
        uv = bootstrap_uv(environment.python)
    else:
        uv = bootstrap_uv(main)
        create(environment.folder, *(("--without-pip",) if uv else ()))
    install(environment, uv)
    environment.stamp.write_text(fingerprint)
    say(f"{label} is ready after {time.monotonic() - started:.0f} s")


def compile_constraints() -> None:
    """Write ``constraints/``: the newest versions that go together, one ``package==version`` per line."""
    python = ROOT / ".venv" / "bin" / "python"
    if not python.exists():
        create(ROOT / ".venv")
    uv = bootstrap_uv(python)
    if uv is None:
        raise SystemExit("environment.py: compiling constraints needs uv")
    sources = {
        "airflow-3.3.txt": ("pyproject.toml", *group("test"), *group("lint"), "apache-airflow==3.3.*", "uv"),
        "peer.txt": group("peer"),
    }
    for number, limits in OLDER.items():
        sources[f"airflow-{number}.txt"] = ("pyproject.toml", *group("test"), f"apache-airflow=={number}.*", *limits)
    CONSTRAINTS.mkdir(exist_ok=True)
    for name, requirements in sources.items():
        resolved = subprocess.run(
            [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", "3.11", "-"],
            input="\n".join("-e ." if line == "pyproject.toml" else line for line in requirements),
            env=uv_variables(python),
            cwd=ROOT,
            text=True,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        pins = [line for line in resolved.splitlines() if "==" in line and not line.startswith(("-", "#"))]
        (CONSTRAINTS / name).write_text("\n".join(pins) + "\n")
        say(f"constraints/{name}: {len(pins)} packages")


def main() -> None:
    if sys.version_info < (3, 11):
        raise SystemExit("environment.py: Python 3.11 or newer is needed; choose one with `make PYTHON=python3.12 ...`")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["UV_COMPILE_BYTECODE"] = "1"
    arguments = sys.argv[1:] or ["dev"]
    if arguments == ["--compile-constraints"]:
        compile_constraints()
        return
    for name in arguments:
        for environment in environments(name):
            make(environment)


if __name__ == "__main__":
    main()
