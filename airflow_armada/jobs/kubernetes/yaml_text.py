"""YAML as Kubernetes tools read it: no duplicate keys, no dates, no base-60 numbers."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from airflow_armada.jobs.kubernetes.schema import MAX_DEPTH
from airflow_armada.jobs.problems import InvalidJob, Problem, shorten

MAX_TEXT = 4 * 1024 * 1024
"""Characters of a text: much more than any request that a server takes."""
_ALIASED = 10
_FREE = 10_000
"""What aliases stand for may make a document ten times as large as it is written, and any up to the second."""

_INTEGER = r"[-+]?(?:0b_*[01][01_]*|0o_*[0-7][0-7_]*|0[0-7_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*|[1-9][0-9_]*)"
_FLOAT = (
    r"[-+]?(?:(?:\.[0-9][0-9_]*|[0-9][0-9_]*\.[0-9_]*)(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))"
    r"|\.(?:nan|NaN|NAN)"
)
_YAML = "tag:yaml.org,2002:"
_TAGS = ("null", "bool", "int", "float", "str", "seq", "map")


class _KubernetesLoader(yaml.SafeLoader):
    """Reads what JSON can say; the work is bounded by the length of the text, whatever it says."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_document(self) -> Any:
        node = super().compose_document()
        _Expansion().check(node)
        return node

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, f"more than {MAX_DEPTH} levels of lists and mappings", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
            what = f"not a value of type {node.tag.removeprefix(_YAML)}"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(None, None, "expected a mapping", node.start_mark)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be one word", key.start_mark)
            if key.tag != f"{_YAML}merge" and key.value in seen:
                what = f"key {shorten(key.value)!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        text = str(self.construct_scalar(node)).replace("_", "")
        sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
        octal = digits.startswith("0") and digits[1:].isdigit()
        return sign * int(digits, 8 if octal else 0)


class _Expansion:
    """Finds documents that are endless, or much larger than they are written, because of their aliases."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def check(self, root: yaml.Node | None) -> None:
        if root is None:
            return
        size = self._size(root)
        if size > max(_FREE, _ALIASED * len(self._sizes)):
            raise yaml.composer.ComposerError(None, None, "its aliases stand for too much", root.start_mark)

    def _size(self, node: yaml.Node) -> int:
        """Count the nodes below one, as often as they occur."""
        known = self._sizes.get(id(node))
        if known is not None:
            return known
        if id(node) in self._open:
            raise yaml.composer.ComposerError(None, None, "an alias stands for what it is a part of", node.start_mark)
        self._open.add(id(node))
        self._sizes[id(node)] = size = 1 + sum(map(self._size, _children(node)))
        return size


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _resolvers(first: str | None) -> list[tuple[str, re.Pattern[str]]]:
    dropped = [f"{_YAML}{name}" for name in ("timestamp", "int", "float")]
    return [one for one in yaml.SafeLoader.yaml_implicit_resolvers.get(first, ()) if one[0] not in dropped]


_KubernetesLoader.yaml_implicit_resolvers = {
    first: _resolvers(first) for first in yaml.SafeLoader.yaml_implicit_resolvers
}
_KubernetesLoader.yaml_constructors = {
    tag: make
    for tag, make in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.removeprefix(_YAML) in _TAGS
}
_KubernetesLoader.add_implicit_resolver(f"{_YAML}int", re.compile(rf"^(?:{_INTEGER})$"), list("-+0123456789"))
_KubernetesLoader.add_implicit_resolver(f"{_YAML}float", re.compile(rf"^(?:{_FLOAT})$"), list("-+.0123456789"))
_KubernetesLoader.add_constructor(f"{_YAML}int", _KubernetesLoader.construct_integer)


class _KubernetesDumper(yaml.SafeDumper):
    """Quotes exactly what the loader above would not read as text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_KubernetesDumper.yaml_implicit_resolvers = yaml.SafeDumper.yaml_implicit_resolvers | {
    first: [*yaml.SafeDumper.yaml_implicit_resolvers.get(first, []), *resolvers]
    for first, resolvers in _KubernetesLoader.yaml_implicit_resolvers.items()
}


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    lines = text.replace("\t", "").split("\n")
    plain = "|" if len(lines) > 1 else None
    # The other styles lose rare line ends, such as U+0085.
    style = plain if all(line.isprintable() for line in lines) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_KubernetesDumper.add_representer(str, _represent_text)


def dump(data: Any) -> str:
    """Builtins as YAML, scripts as blocks, keys in the order given.

    :param data: builtins
    :return: YAML that :func:`load_documents` reads back to the same
    """
    return yaml.dump(data, Dumper=_KubernetesDumper, sort_keys=False, allow_unicode=True, width=120)


def load_documents(text: str, path: str) -> list[Any]:
    """The documents of a YAML or JSON text, empty ones left out.

    :param text: YAML, possibly several documents divided by ``---``
    :param path: what error messages call the text
    :return: builtins
    :raises InvalidJob: when it is not YAML, with the line and the column
    """
    if len(text) > MAX_TEXT:
        raise InvalidJob(
            [Problem(path, f"{len(text)} characters", f"must be at most {MAX_TEXT} characters", "divide it")]
        )
    try:
        documents = list(yaml.load_all(text, Loader=_KubernetesLoader))
    except yaml.YAMLError as error:
        raise InvalidJob([Problem(path, "", _explain(error))]) from None
    except (ValueError, OverflowError):  # an escape that stands for no character
        raise InvalidJob([Problem(path, "", "not valid YAML: an escape stands for no character")]) from None
    return [document for document in documents if document is not None]


def _explain(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "cannot be read"
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"not valid YAML{where}: {what}"
