"""Giving orders to an event server; needs nothing but grpc, so that the peer's environment has it too."""

from __future__ import annotations

import json
from typing import Any

import grpc

CONTROL = "/bench.Control/Do"


class Control:
    """Gives orders to an event server, from another process.

    :param target: its ``host:port``
    """

    def __init__(self, target: str) -> None:
        limit = [("grpc.max_receive_message_length", -1)]
        self._channel = grpc.insecure_channel(target, options=limit)
        self._do = self._channel.unary_unary(CONTROL)

    def do(self, order: str, **details: Any) -> dict[str, Any]:
        """Give an order and return the answer."""
        answer: dict[str, Any] = json.loads(self._do(json.dumps({"do": order, **details}).encode(), timeout=60))
        return answer

    def close(self) -> None:
        self._channel.close()
