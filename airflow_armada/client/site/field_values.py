"""Reading the values of a connection's fields, whatever form they come in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from airflow_armada.client.failure import SettingsError

_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})


class FieldValues:
    """
    The fields of a connection.

    :param login: the login
    :param password: the password
    :param extra: the extra, whose values may all be texts
    """

    def __init__(self, login: str, password: str, extra: Mapping[str, Any]) -> None:
        self.login = login
        self.password = password
        self._extra = extra

    def text(self, name: str) -> str:
        """Return a text, "" when it is not given."""
        value = self._extra.get(name)
        if isinstance(value, (dict, list)):
            raise SettingsError(f"extra {name!r} must be text")
        return "" if value is None else str(value).strip()

    def needed(self, name: str) -> str:
        """Return a text that must be given."""
        value = self.text(name)
        if not value:
            raise SettingsError(f"extra {name!r} is missing")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Return whether something is switched on."""
        value = self.text(name).lower()
        if not value:
            return default
        if value not in _TRUE | _FALSE:
            raise SettingsError(f"extra {name!r} must be true or false")
        return value in _TRUE

    def number(self, name: str, default: float) -> float:
        """Return a number of seconds."""
        value = self.text(name)
        try:
            number = float(value) if value else default
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise SettingsError(f"extra {name!r} must be a number of seconds")
        return number

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self._json(name, [])
        if not isinstance(value, list) or any(isinstance(item, (dict, list)) or item is None for item in value):
            raise SettingsError(f'extra {name!r} must be a JSON list of texts, such as ["--get-token"]')
        return tuple(map(str, value))

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """Return an object's keys and values, sorted."""
        value = self._json(name, {})
        if not isinstance(value, dict) or any(isinstance(item, (dict, list)) for item in value.values()):
            raise SettingsError(f'extra {name!r} must be a JSON object of texts, such as {{"name": "value"}}')
        return tuple(sorted((str(key), str(item)) for key, item in value.items()))

    def _json(self, name: str, empty: Any) -> Any:
        value = self._extra.get(name)
        if value is None or value == "":
            return empty
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return None
