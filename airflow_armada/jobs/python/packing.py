"""Pack a Python function into a job: its source, its arguments and the program that runs it travel in the pod spec."""

from __future__ import annotations

import ast
import base64
import builtins
import inspect
import json
import pickle
import pickletools
import symtable
import types
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from airflow_armada.jobs.results import MAX_RESULT_BYTES

TASK_VARIABLE = "AIRFLOW_ARMADA_TASK"
MAX_PACKED_BYTES = 60_000
"""Largest packed task: what Armada accepts for a pod spec, 65,535 bytes, less some room for the rest of the pod."""

_BOOTSTRAP = (
    "import base64,json,os,zlib;"
    f"t=json.loads(zlib.decompress(base64.b64decode(os.environ['{TASK_VARIABLE}'])));"
    "n={'__name__':'armada_runner'};exec(compile(t['runner'],'<armada runner>','exec'),n);n['main'](t)"
)
_HINT = "import and define what it needs inside the function, or pass it as an argument"


class UnsupportedFunction(ValueError):
    """The function cannot run as a job; the message says why and what to do."""


@dataclass(frozen=True)
class PackedTask:
    """A function as a container runs it.

    :param cmds: entry point
    :param env_vars: environment that holds the function
    """

    cmds: list[str]
    env_vars: dict[str, str]


def pack(
    function: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    requirements: Sequence[str] = (),
    serializer: str = "json",
    python: str = "python3",
    result: bool = True,
    limit: int = MAX_RESULT_BYTES,
) -> PackedTask:
    """Pack a call of a function.

    :param function: a plain function that uses nothing from outside itself
    :param args: positional arguments
    :param kwargs: keyword arguments
    :param requirements: what pip installs before, as in a requirements file
    :param serializer: how arguments travel: ``json``, or ``pickle`` for other types that the image can import
    :param python: Python interpreter of the image, 3.8 or later
    :param result: whether the returned value comes back
    :param limit: largest returned value, in bytes of JSON
    :return: entry point and environment
    :raises UnsupportedFunction: when the function or its arguments cannot travel
    """
    source = function_source(function)
    _check_call(function, args, kwargs or {})
    task = {
        "runner": files("airflow_armada.jobs.python").joinpath("runner.py").read_text(),
        "name": function.__code__.co_name,
        "source": source,
        "arguments": _serialize({"args": list(args), "kwargs": dict(kwargs or {})}, serializer),
        "serializer": serializer,
        "requirements": list(requirements),
        "result": result,
        "limit": limit,
    }
    packed = base64.b64encode(zlib.compress(json.dumps(task).encode(), 9)).decode()
    if len(packed) > MAX_PACKED_BYTES:
        raise UnsupportedFunction(
            f"{function.__name__}: function and arguments make {len(packed)} bytes, a job holds {MAX_PACKED_BYTES}; "
            "put large data into storage and pass its address"
        )
    return PackedTask([python, "-c", _BOOTSTRAP], {TASK_VARIABLE: packed})


def function_source(function: Callable[..., Any]) -> str:
    """The source of a function without its decorators, checked to stand on its own.

    :param function: a plain function
    :return: its source; one that is indented in its file stays so, below ``if True:``, and its texts stay what they are
    :raises UnsupportedFunction: for lambdas, closures, methods, coroutines, generators, functions that a decorator
        wraps, and those that use names of the file around them
    """
    _check_kind(function)
    name = function.__name__
    lines = _file_lines(function)
    node = _definition(function, "".join(lines))
    source = "".join(lines[node.lineno - 1 : node.end_lineno]).rstrip("\n") + "\n"
    if node.col_offset:
        source = f"if True:\n{source}"
    foreign = _foreign_names(source, name)
    if foreign:
        raise UnsupportedFunction(f"{name} uses {', '.join(foreign)} from outside of it; {_HINT}")
    return source


def _file_lines(function: Callable[..., Any]) -> list[str]:
    try:
        return inspect.findsource(function)[0]
    except (OSError, TypeError, IndexError, SyntaxError):
        raise _not_found(function) from None


def _definition(function: Callable[..., Any], text: str) -> ast.FunctionDef:
    """Where a file defines a function."""
    code = function.__code__
    for node in _function_nodes(text):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        if (node.name, first) == (code.co_name, code.co_firstlineno):
            return node
    raise _not_found(function)


@lru_cache(maxsize=4)
def _function_nodes(text: str) -> list[ast.FunctionDef]:
    try:
        return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError):
        return []


def _not_found(function: Callable[..., Any]) -> UnsupportedFunction:
    return UnsupportedFunction(f"{function.__name__}: its source cannot be found; define it with def in a file")


def _check_kind(function: Callable[..., Any]) -> None:
    name = getattr(function, "__name__", type(function).__name__)
    reasons = {
        "a method": inspect.ismethod(function),
        "not a Python function": not isinstance(function, types.FunctionType),
        "a lambda": name == "<lambda>",
        "a coroutine function": inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function),
        "a generator": inspect.isgeneratorfunction(function),
    }
    for reason, applies in reasons.items():
        if applies:
            raise UnsupportedFunction(f"{name} is {reason}; only plain functions made with def can run as a job")
    if inspect.unwrap(function) is not function:
        hint = "take the decorator away, or do what it does inside the function"
        raise UnsupportedFunction(f"{name} is wrapped by a decorator that cannot travel with it; {hint}")
    captured = function.__code__.co_freevars
    if captured:
        raise UnsupportedFunction(f"{name} is a closure over {', '.join(captured)}; {_HINT}")


def _foreign_names(source: str, name: str) -> list[str]:
    """Names that the function takes from the module around it; annotations do not count, they are not evaluated."""
    table = symtable.symtable(f"from __future__ import annotations\n{source}", name, "exec")
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_namespace()}
    return sorted(_globals_of(table) - own - set(dir(builtins)))


def _globals_of(table: symtable.SymbolTable) -> set[str]:
    names = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
    return names.union(*map(_globals_of, table.get_children()))


def _check_call(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        raise UnsupportedFunction(f"{function.__name__}: {error}") from None


def _serialize(arguments: dict[str, Any], serializer: str) -> str:
    if serializer == "json":
        _check_json(arguments["args"], "argument ")
        _check_json(arguments["kwargs"], "argument ")
        return json.dumps(arguments)
    if serializer == "pickle":
        return _pickled(arguments)
    raise UnsupportedFunction(f"serializer must be json or pickle, not {serializer!r}")


def _check_json(value: Any, path: str) -> None:
    """Refuse what JSON would change or cannot say, by its place."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if not isinstance(key, str):
                raise UnsupportedFunction(f"{path}has a key {key!r} that is no text; {_PICKLE_HINT}")
            _check_json(entry, f"{path}{key!r} ")
    elif type(value) is list:
        for index, entry in enumerate(value):
            _check_json(entry, f"{path}{index} ")
    elif type(value) not in (str, int, float, bool, type(None)) or value in _INFINITE or value != value:
        raise UnsupportedFunction(f"{path}is of type {type(value).__name__}, which JSON cannot carry; {_PICKLE_HINT}")


_PICKLE_HINT = 'use serializer="pickle", or pass plain values'
_INFINITE = (float("inf"), float("-inf"))
_UNREACHABLE = ("__main__", "unusual_prefix_")  # Airflow loads DAG files as modules with the second prefix


def _pickled(arguments: dict[str, Any]) -> str:
    try:
        content = pickle.dumps(arguments, protocol=4)
    except Exception as error:
        raise UnsupportedFunction(f"the arguments cannot be pickled: {error}") from None
    for _, value, _ in pickletools.genops(content):
        if isinstance(value, str) and value.startswith(_UNREACHABLE):
            raise UnsupportedFunction("the arguments hold an object of a class of the DAG file; pass plain values")
    return base64.b64encode(content).decode()
