"""
The YAML of ``.armadactl.yaml`` as plain values, in little time whatever stands in it.

All scalars stay text: nothing is converted, so no tag and no number of a million digits does anything. Deep nesting,
and aliases that multiply, end with an error. Imports neither grpc nor Airflow.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from airflow_armada.client.failure import SettingsError

_DEEPEST = 16
_MOST_VALUES = 10_000
_NULLS = ("", "~", "null", "Null", "NULL")


def read_yaml(content: bytes, path: str) -> Any:
    """
    Read a document.

    :param content: YAML
    :param path: where it comes from, for errors
    :return: dictionaries with keys in lower case, lists, texts and None
    :raises SettingsError: when it is not YAML, or more than a configuration has; the text does not quote it
    """
    import yaml

    what = f"{path} is not an armadactl configuration"
    try:
        node = yaml.compose(content.decode("utf-8"), Loader=_shallow_loader())
    except UnicodeDecodeError:
        raise SettingsError(f"{what}: it is not text") from None
    except yaml.YAMLError as error:
        # The text of a YAML error quotes the file, and with it perhaps a password.
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise SettingsError(f"{what}: it is not valid YAML{line}") from None
    except RecursionError:  # that of the loader: deeper than a configuration is
        raise SettingsError(f"{what}: it is nested too deeply") from None
    return _Values(what).of(node)


@cache
def _shallow_loader() -> Any:
    """Give a loader that stops where the document is too deep: PyYAML looks further ahead the deeper it is."""
    import yaml

    class ShallowLoader(yaml.BaseLoader):
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.depth += 1
            if self.depth > _DEEPEST + 2:
                raise RecursionError
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    return ShallowLoader


class _Values:
    def __init__(self, what: str) -> None:
        self._what = what
        self._values = 0

    def of(self, node: Any, depth: int = 0) -> Any:
        import yaml

        self._values += 1
        if depth > _DEEPEST:
            raise SettingsError(f"{self._what}: it is nested too deeply")
        if self._values > _MOST_VALUES:
            raise SettingsError(f"{self._what}: it holds more than {_MOST_VALUES} values")
        if isinstance(node, yaml.MappingNode):
            return {self._key(key): self.of(value, depth + 1) for key, value in node.value}
        if isinstance(node, yaml.SequenceNode):
            return [self.of(value, depth + 1) for value in node.value]
        return None if node is None or (node.style is None and node.value in _NULLS) else node.value

    def _key(self, node: Any) -> str:
        """Return a key in lower case, as the library that armadactl reads its files with does not tell them apart."""
        if not isinstance(node.value, str) or node.value == "<<":
            raise SettingsError(f"{self._what}: keys must be plain texts, without merges (<<)")
        return node.value.lower()
