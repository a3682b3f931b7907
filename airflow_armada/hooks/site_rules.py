"""What a site accepts, as Airflow's configuration tells it: it can be read wherever a DAG file is parsed."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_armada._compat import conf

if TYPE_CHECKING:
    from airflow_armada.jobs.checks.server_rules import ServerRules

_OPTION = "[armada] server_rules"


def site_rules(conn_id: str) -> ServerRules:
    """
    Give the rules of the site that a connection leads to.

    :param conn_id: id of the connection.
    :return: Armada's own defaults, changed by ``[armada] server_rules``.
    :raises ValueError: when that option cannot be read.
    """
    return _read(conf.get("armada", "server_rules", fallback="") or "{}", conn_id)


@lru_cache(maxsize=64)
def _read(text: str, conn_id: str) -> ServerRules:
    from airflow_armada.jobs.checks.server_rules import rules_from

    try:
        said = json.loads(text)
        own = said.pop("connections", {}).get(conn_id, {})
        return rules_from({**said, **own})
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{_OPTION} is not what it must be, a JSON object of rules: {error}") from None
