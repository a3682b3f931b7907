"""YAML as Kubernetes tools read it: no duplicate keys, no dates, no base-60 numbers."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from airflow_armada.jobs.problems import InvalidJob, Problem

_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)")
_NOT_JSON = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int")


class _KubernetesLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be one word", key.start_mark)
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is given twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        text = str(self.construct_scalar(node)).replace("_", "")
        sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.lstrip("+"))
        octal = digits.startswith("0") and digits[1:].isdigit()
        return sign * int(digits, 8 if octal else 0)


_KubernetesLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_JSON]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_KubernetesLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(rf"^(?:{_INTEGER.pattern})$"), "-+0123456789"
)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:int", _KubernetesLoader.construct_integer)


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
    try:
        documents = list(yaml.load_all(text, Loader=_KubernetesLoader))
    except yaml.YAMLError as error:
        raise InvalidJob([Problem(path, "", _explain(error))]) from None
    return [document for document in documents if document is not None]


def _explain(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "cannot be read"
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"not valid YAML{where}: {what}"
