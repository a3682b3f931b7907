"""The shape of a handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_armada.api.methods import Method

# Called with the request and the caller. A unary handler returns a response or an awaitable of one; a streaming handler
# returns an asynchronous iterator of responses, each a message or an already serialized one.
Handler = Callable[..., Any]
Routes = dict[Method[Any, Any], Handler]
