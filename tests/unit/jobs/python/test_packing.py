"""A Python function travels in a job and runs in a Python that knows nothing of Airflow."""

from __future__ import annotations

import asyncio
import datetime
import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_armada.jobs.build import build
from airflow_armada.jobs.checks.check import problems
from airflow_armada.jobs.python.packing import MAX_PACKED_BYTES, PackedTask, UnsupportedFunction, function_source, pack
from airflow_armada.jobs.result_value import ResultMissing
from airflow_armada.jobs.results import NONCE_VARIABLE, ResultCollector

SOMETHING = 3


class Run:
    """What a packed task did in a process of its own."""

    def __init__(self, packed: PackedTask) -> None:
        env = {"PATH": os.environ["PATH"], NONCE_VARIABLE: "0123456789abcdef", **packed.env_vars}
        # -I: without this project's folder, and without the packages of this environment's user.
        command = [packed.cmds[0], "-I", *packed.cmds[1:]]
        self.process = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=60, cwd="/", check=False
        )
        self.result = ResultCollector(nonce="0123456789abcdef")
        lines = self.process.stdout.encode().splitlines()
        self.log = [shown.decode() for line in lines for shown in self.result.feed("", line)]


def run(function: Callable[..., Any], *args: Any, **options: Any) -> Run:
    return Run(pack(function, args, options.pop("kwargs", {}), python=sys.executable, **options))


def add(a: int, b: int = 2) -> int:
    """Adds."""
    print("adding")
    return a + b


def test_the_value_comes_back_and_the_log_is_the_functions_own() -> None:
    done = run(add, 1, kwargs={"b": 5})
    assert (done.result.value(), done.log, done.process.returncode) == (6, ["adding"], 0)


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


@decorated
@decorated
def with_decorators() -> str:
    def inner(n: int) -> str:
        return "x" * n

    return inner(3)


def test_a_decorator_that_leaves_the_function_as_it_is_stays_behind() -> None:
    assert function_source(with_decorators).startswith("def with_decorators")
    assert run(with_decorators).result.value() == "xxx"


def wrapping(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper() -> Any:
        return function()

    return wrapper


@wrapping
def wrapped() -> int:
    return 1


DAG_FILE = """
with open(__file__):

    @decorator
    @decorator
    def texts():
        at_the_margin = '''
first
    second'''
        indented = '''
            third
            '''
        page_break = "\f"
\f
        return [at_the_margin, indented, page_break]
"""


def test_texts_in_a_function_stay_what_they_are(tmp_path: Path) -> None:
    file = tmp_path / "dag_file.py"
    file.write_text(DAG_FILE)
    namespace: dict[str, Any] = {"__file__": str(file), "decorator": decorated}
    exec(compile(DAG_FILE, file, "exec"), namespace)
    assert run(namespace["texts"]).result.value() == namespace["texts"]()


def imports_inside(name: str) -> list[str]:
    import json as j

    return j.loads(j.dumps([name, "ü\n::armada-result::"]))


def test_text_of_any_kind_comes_back() -> None:
    assert run(imports_inside, "::group::").result.value() == ["::group::", "ü\n::armada-result::"]


def annotated_with_what_is_not_there(path: Path) -> Path | None:
    return None


def test_annotations_are_not_evaluated() -> None:
    assert run(annotated_with_what_is_not_there, "x").result.value() is None


def large() -> str:
    return "ü" * 9000


def test_a_long_value_comes_back_in_parts() -> None:
    done = run(large)
    assert done.result.value() == "ü" * 9000
    assert max(map(len, done.process.stdout.splitlines())) < 8192


def without_line_end() -> int:
    import sys

    sys.stdout.write("no end")
    return 1


def test_output_that_does_not_end_its_line() -> None:
    done = run(without_line_end)
    assert (done.result.value(), done.log) == (1, ["no end"])


def skips(reason: str) -> int:
    class AirflowSkipException(Exception):
        pass

    print("::armada-result::5")
    raise AirflowSkipException(reason)


def test_a_function_may_ask_to_be_skipped() -> None:
    done = run(skips, "no data\ntoday")
    assert (done.result.found.skip, done.process.returncode, done.log) == ("no data today", 0, [])
    assert run(skips, "", result=False).process.returncode == 1, "nobody would hear of it"


def prints_a_result() -> int:
    print("::armada-result::5")
    return 1


def test_what_a_function_prints_is_not_what_it_returns() -> None:
    assert run(prints_a_result).result.value() == 1


def fails(what: str) -> None:
    def deeper() -> None:
        raise KeyError(what)

    deeper()


def test_an_exception_comes_back_with_the_lines_of_the_function() -> None:
    done = run(fails, "secretless")
    error = done.result.remote_error()
    assert error is not None
    assert (error.type, error.message, done.process.returncode) == ("KeyError", "'secretless'", 1)
    assert "raise KeyError(what)" in error.traceback
    assert "armada runner" not in error.traceback
    assert "raise KeyError(what)" in done.process.stderr


def exits(code: int) -> None:
    raise SystemExit(code)


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_of_the_function_is_the_jobs(code: int) -> None:
    assert run(exits, code).process.returncode == code


def returns_a_set() -> set[int]:
    return {1}


def returns_too_much() -> str:
    return "x" * 200


@pytest.mark.parametrize(
    ("function", "message"),
    [(returns_a_set, "what JSON cannot say"), (returns_too_much, "202 bytes of JSON, more than the 100")],
)
def test_a_value_that_cannot_travel_fails_the_job(function: Callable[..., Any], message: str) -> None:
    done = run(function, limit=100)
    error = done.result.remote_error()
    assert done.process.returncode == 1
    assert error is not None
    assert message in error.message


def test_a_value_that_nobody_wants_is_not_printed() -> None:
    with pytest.raises(ResultMissing):
        run(add, 1, result=False).result.value()


def year(day: Any, numbers: Any) -> list[int]:
    return [day.year, *numbers]


def test_pickled_arguments_keep_their_types() -> None:
    assert run(year, datetime.date(2026, 1, 2), (1, 2), serializer="pickle").result.value() == [2026, 1, 2]


def sees_the_payload() -> list[str]:
    import os

    return [name for name in os.environ if "ARMADA" in name]


def test_the_function_does_not_see_its_own_parcel() -> None:
    assert run(sees_the_payload).result.value() == []


def test_a_packed_task_makes_a_valid_job() -> None:
    packed = pack(add, [1])
    item = build(image="python:3.12", cmds=packed.cmds, env_vars=packed.env_vars)
    assert problems(item, "q", "s") == []


def uses_the_file() -> int:
    return SOMETHING + len(Path("x").parts)


def default_from_the_file(a: int = SOMETHING) -> int:
    return a


async def asynchronous() -> None:
    await asyncio.sleep(0)


def generator() -> Any:
    yield 1


def closure() -> Callable[..., Any]:
    captured = 1

    def function() -> int:
        return captured

    return function


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: 1, "<lambda> is a lambda; only plain functions made with def can run as a job"),
        (closure(), "function is a closure over captured; import and define what it needs inside the function"),
        (uses_the_file, "uses_the_file uses Path, SOMETHING from outside of it; import and define"),
        (default_from_the_file, "default_from_the_file uses SOMETHING from outside of it"),
        (asynchronous, "asynchronous is a coroutine function"),
        (generator, "generator is a generator"),
        ("text".upper, "upper is not a Python function"),
        (Run(PackedTask([sys.executable, "-c", ""], {})).__init__, "__init__ is a method"),
        (len, "len is not a Python function"),
        (wrapped, "wrapped is wrapped by a decorator that cannot travel with it; take the decorator away, or do"),
    ],
)
def test_what_cannot_travel_is_refused_early(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(UnsupportedFunction) as raised:
        pack(function)
    assert message in str(raised.value)


class Local:
    """A class that no image has."""


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ([], {}, "missing a required argument: 'a'"),
        ([1, 2, 3], {}, "too many positional arguments"),
        ([(1, 2)], {}, 'argument 0 is of type tuple, which JSON cannot carry; use serializer="pickle"'),
        ([{"x": [1, {2}]}], {}, "argument 0 'x' 1 is of type set"),
        ([{1: 2}], {}, "argument 0 has a key 1 that is no text"),
        ([float("nan")], {}, "argument 0 is of type float"),
        ([1], {"serializer": "yaml"}, "serializer must be json or pickle"),
        ([lambda: 1], {"serializer": "pickle"}, "the arguments cannot be pickled"),
        ([os.urandom(50_000).hex()], {}, f"a job holds {MAX_PACKED_BYTES}; put large data into storage"),
    ],
)
def test_arguments_that_cannot_travel_are_refused(args: list[Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedFunction) as raised:
        pack(add, args, **options)
    assert message in str(raised.value)


def test_objects_of_classes_of_the_dag_file_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "unusual_prefix_abc_dag"
    monkeypatch.setitem(sys.modules, module, sys.modules[__name__])
    monkeypatch.setattr(Local, "__module__", module)
    with pytest.raises(UnsupportedFunction, match="class of the DAG file"):
        pack(add, [Local()], serializer="pickle")


def needs_a_package() -> str:
    import no_such_package_of_armada

    return str(no_such_package_of_armada)


def test_requirements_that_cannot_be_installed_fail_clearly(tmp_path: Path) -> None:
    done = run(needs_a_package, requirements=[str(tmp_path / "missing.whl")])
    error = done.result.remote_error()
    assert error is not None
    assert "pip could not install" in error.message
