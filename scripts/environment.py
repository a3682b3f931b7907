"""Make the virtual environments of this project: ``python3 scripts/environment.py [dev|versions|peer|tools ...]``.

Needs nothing but Python 3.11 or newer. A finished environment carries a fingerprint of what it was made from; while
that is unchanged, the script only looks at it and returns. ``--compile-constraints [NAME ...]`` rewrites
``constraints/``, or those files of it. ``--list versions`` prints the folders of the environments that can be made
here, and says on stderr which cannot.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints"
DEVELOPMENT = "3.3"  # the Airflow of the development environment
PYTHONS = ("3.11", "3.12", "3.13")
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
class Airflow:
    """A supported version of Airflow.

    ``python`` is the one that ``make test`` runs it on: together they cover every Python. ``limits`` are bounds that
    this Airflow needs and does not state itself.
    """

    python: str
    requirement: str
    limits: tuple[str, ...] = ()


AIRFLOWS = {
    "3.1": Airflow("3.11", "apache-airflow==3.1.*"),
    # It cannot build its Execution API with newer versions of FastAPI.
    "3.2": Airflow("3.12", "apache-airflow==3.2.*", ("fastapi<0.130",)),
    "3.3": Airflow("3.12", "apache-airflow==3.3.*"),
    # The newest that the package index has. Naming a beta admits betas of Airflow, and of nothing else.
    "3.4": Airflow(
        "3.13", "apache-airflow==3.4.0b2", ("apache-airflow-core==3.4.0b2", "apache-airflow-task-sdk==1.4.0b2")
    ),
}


@dataclass(frozen=True)
class Environment:
    """A virtual environment: where it lies, what goes into it, the file that pins the versions, and its Python.

    :param interpreter: a version such as ``3.12``; the Python that runs this script if empty.
    """

    folder: Path
    requirements: tuple[str, ...]
    constraints: Path | None = None
    interpreter: str = ""

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        return self.folder / ".fingerprint"

    def fingerprint(self) -> str:
        """Return a hash of everything whose change asks for a new installation."""
        pinned = self.constraints.read_text() if self.constraints else ""
        made_from = (sys.version, self.interpreter, str(self.folder), self.requirements, pinned, project_table())
        return hashlib.sha256(repr(made_from).encode()).hexdigest()


def pyproject() -> dict[str, Any]:
    import tomllib  # a Python that has none is named by main()

    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def project_table() -> str:
    """Return what of ``pyproject.toml`` decides what is installed."""
    return repr([pyproject()[name] for name in ("build-system", "project")])


def group(name: str) -> tuple[str, ...]:
    """Return the requirements of a dependency group of ``pyproject.toml``."""
    return tuple(pyproject()["dependency-groups"][name])


def interpreter(version: str) -> str | None:
    """Return a Python of this version, from the search path or from pyenv, or None where there is none."""
    if version == running_version():
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in (f"python{version}", *sorted(map(str, pyenv.glob(f"{version}.*/bin/python{version}")))):
        with contextlib.suppress(OSError):  # pyenv puts a command on the path that only says that it is not chosen
            if subprocess.run([candidate, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
                return candidate
    return None


def running_version() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def airflow_environments(*, every_python: bool = False, only: str = "") -> list[Environment]:
    """
    Return an environment for each supported Airflow.

    :param only: a version such as ``3.4``, without the others.
    :param every_python: one for each Python besides; those that are missing here are named and left out. Otherwise an
        Airflow whose own Python is missing gets the one that runs this script.
    """
    found = []
    for number, airflow in AIRFLOWS.items():
        if only not in ("", number):
            continue
        for python in dict.fromkeys((airflow.python, *(PYTHONS if every_python else ()))):
            first = python == airflow.python
            chosen = python
            if interpreter(python) is None:
                chosen = running_version() if first else ""
                instead = f"on Python {chosen} instead" if chosen else "nothing in its place"
                print(f"SKIPPED: Airflow {number} on Python {python}, which is not here; {instead}", file=sys.stderr)
            if chosen:
                folder = ROOT / ".venv-airflow" / (number if first else f"{number}-python{python}")
                requirements = ("--editable", str(ROOT), *group("test"), airflow.requirement)
                found.append(Environment(folder, requirements, CONSTRAINTS / f"airflow-{number}.txt", chosen))
    return found


def environments(name: str) -> list[Environment]:
    """Return the environments that ``name`` stands for."""
    match name:
        case "dev":
            requirements = ("--editable", str(ROOT), *group("test"), *group("lint"))
            return [Environment(ROOT / ".venv", requirements, CONSTRAINTS / f"airflow-{DEVELOPMENT}.txt")]
        case "versions" | "all-versions":
            return airflow_environments(every_python=name == "all-versions")
        case _ if name.startswith("airflow-"):
            return airflow_environments(only=name.removeprefix("airflow-"))
        case "tools":
            return [Environment(ROOT / ".venv-tools", group("tools"), CONSTRAINTS / "tools.txt")]
        case "peer":
            return [Environment(ROOT / ".venv-peer", group("peer"), CONSTRAINTS / "peer.txt")]
        case "protobuf":
            folder = ROOT / ".venv-protobuf"
            pins = (CONSTRAINTS / "protobuf.txt").read_text().split()
            return [Environment(folder / pin.partition("==")[2], (pin,)) for pin in pins]
        case "statsd":
            pins = (CONSTRAINTS / "statsd.txt").read_text().split()
            return [Environment(ROOT / ".venv-statsd", tuple(pins))]
    raise SystemExit(f"environment.py: no environment is called {name!r}; see the beginning of the file")


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


def create(folder: Path, *options: str, python: str = sys.executable) -> None:
    """Make an empty virtual environment, replacing what lies there."""
    shutil.rmtree(folder, ignore_errors=True)
    if not run(python, "-m", "venv", *options, folder):
        raise SystemExit("environment.py: `python3 -m venv` failed; on Debian and Ubuntu install python3-venv")


def bootstrap_uv(python: Path) -> Path | None:
    """Install uv beside ``python`` and return its path, or None where there is no uv for this machine."""
    uv = python.parent / "uv"
    pins = CONSTRAINTS / f"airflow-{DEVELOPMENT}.txt"
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
    version = environment.interpreter or running_version()
    python = interpreter(version)
    assert python, f"Python {version} was here a moment ago"
    say(f"making {label} (Python {version}): downloads, half a minute or some minutes ...")
    started = time.monotonic()
    main = ROOT / ".venv" / "bin" / "python"
    if environment.python == main or not main.exists():
        create(environment.folder, python=python)
        uv = bootstrap_uv(environment.python)
    else:
        uv = bootstrap_uv(main)
        create(environment.folder, *(("--without-pip",) if uv else ()), python=python)
    install(environment, uv)
    environment.stamp.write_text(fingerprint)
    say(f"{label} is ready after {time.monotonic() - started:.0f} s")


def compile_constraints(names: list[str]) -> None:
    """Write ``constraints/``: the newest versions that go together, one ``package==version`` per line."""
    python = ROOT / ".venv" / "bin" / "python"
    if not python.exists():
        create(ROOT / ".venv")
    uv = bootstrap_uv(python)
    if uv is None:
        raise SystemExit("environment.py: compiling constraints needs uv")
    sources = {"peer.txt": group("peer"), "tools.txt": group("tools")}
    for number, airflow in AIRFLOWS.items():
        further = (*group("lint"), "uv") if number == DEVELOPMENT else ()
        sources[f"airflow-{number}.txt"] = (
            "-e .",
            *group("test"),
            *further,
            airflow.requirement,
            *airflow.limits,
        )
    CONSTRAINTS.mkdir(exist_ok=True)
    for name in names or sources:
        options = ("--quiet", "--no-header", "--no-annotate", "--universal", "--python-version", PYTHONS[0])
        resolved = subprocess.run(
            [uv, "pip", "compile", *options, "-"],
            input="\n".join(sources[name]),
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
    if sys.version_info < (3, 11):  # noqa: UP036 (this script runs before anything has looked)
        raise SystemExit("environment.py: Python 3.11 or newer is needed; choose one with `make PYTHON=python3.12 ...`")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["UV_COMPILE_BYTECODE"] = "1"
    arguments = sys.argv[1:] or ["dev"]
    match arguments:
        case ["--compile-constraints", *names]:
            return compile_constraints(names)
        case ["--list", name]:
            return print(*(environment.folder.relative_to(ROOT) for environment in environments(name)), sep="\n")
    for name in arguments:
        for environment in environments(name):
            make(environment)


if __name__ == "__main__":
    main()
