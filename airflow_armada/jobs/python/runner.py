"""Runs a packed function inside the job's image.

The text of this file travels with the job, so it uses nothing but the standard library of Python 3.8 and later, and
nothing else of this package.
"""

from __future__ import annotations
import __future__

import base64
import json
import linecache
import os
import pickle
import subprocess
import sys
import tempfile
import traceback
from typing import Any

RESULT = "::armada-result"
ERROR = "::armada-error"
SKIP = "::armada-skip"
NONCE = "AIRFLOW_ARMADA_RESULT_NONCE"
PART = 4000
MAX_TRACEBACK = 8000


def emit(marker: str, text: str, nonce: str = "") -> None:
    """Print a value in lines that no part of the log's way splits: container runtimes do so at 16 KiB.

    A marker counts at the beginning of a line only, and nobody knows whether the last one was ended.
    """
    marker += ":" + nonce if nonce else ""
    sys.stdout.flush()
    sys.stderr.flush()
    parts = [text[at : at + PART] for at in range(0, len(text), PART)]
    lines = [marker + "::" + text]
    if len(parts) > 1:
        lines = [f"{marker}:{n}/{len(parts)}::{part}" for n, part in enumerate(parts, start=1)]
    sys.stdout.write("\n" + "".join(line + "\n" for line in lines))
    sys.stdout.flush()


def install(requirements: list[str]) -> None:
    """Install packages where only this run sees them."""
    folder = tempfile.mkdtemp(prefix="armada-task-")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", folder]
    done = subprocess.run(command + requirements, check=False, stdout=sys.stderr)
    if done.returncode != 0:
        raise RuntimeError("pip could not install " + ", ".join(requirements) + "; see the log")
    sys.path.insert(0, folder)


def load(name: str, source: str) -> Any:
    """Make the function again; its lines are known to tracebacks."""
    file = f"<task {name}>"
    linecache.cache[file] = (len(source), None, [line + "\n" for line in source.split("\n")], file)
    namespace = {"__name__": "armada_task", "__builtins__": __builtins__}
    code = compile(source, file, "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True)
    exec(code, namespace)
    return namespace[name]


def arguments(task: dict[str, Any]) -> dict[str, Any]:
    """Read the arguments."""
    if task["serializer"] == "pickle":
        return pickle.loads(base64.b64decode(task["arguments"]))  # type: ignore[no-any-return]
    return json.loads(task["arguments"])  # type: ignore[no-any-return]


def call(task: dict[str, Any]) -> str:
    """Call the function and give its value as JSON text."""
    if task["requirements"]:
        install(task["requirements"])
    function = load(task["name"], task["source"])
    given = arguments(task)
    value = function(*given["args"], **given["kwargs"])
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"the function returned what JSON cannot say ({error}); return plain values") from None
    if len(text) > task["limit"]:
        raise ValueError(
            "the returned value has {} bytes of JSON, more than the {} that may travel; "
            "write it to storage and return where it is".format(len(text), task["limit"])
        )
    return text


def describe(error: BaseException) -> str:
    """Tell an exception as JSON text, without the frames of this file."""
    frames = error.__traceback__
    while frames is not None and not frames.tb_frame.f_code.co_filename.startswith("<task "):
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames)
    text = "".join(lines)[-MAX_TRACEBACK:]
    sys.stderr.write(text)
    return json.dumps({"type": type(error).__name__, "message": str(error)[:MAX_TRACEBACK], "traceback": text})


def is_skip(error: BaseException) -> bool:
    """Tell whether an exception asks to skip the task: the image may have Airflow, or a class of that name."""
    return any(one.__name__ == "AirflowSkipException" for one in type(error).__mro__)


def main(task: dict[str, Any]) -> None:
    """Run a task and report how it ended."""
    os.environ.pop("AIRFLOW_ARMADA_TASK", None)
    nonce = os.environ.pop(NONCE, "")
    try:
        text = call(task)
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
        text = "null"
    except BaseException as error:
        if task["result"] and is_skip(error):
            emit(SKIP, " ".join(str(error).split())[:PART], nonce)
            return
        emit(ERROR, describe(error), nonce)
        sys.exit(1)
    if task["result"]:
        emit(RESULT, text, nonce)
