"""The token of an embedded Armada on this machine, found without being told where it is."""

from __future__ import annotations

from airflow_armada.api.loopback_token import read_token
from airflow_armada.client.auth.credentials import Credentials


class LoopbackToken(Credentials):
    """What an embedded Armada of the same user has left for its clients; nothing where there is none.

    It is read once, and again when the server refuses it: a server that starts anew has a new token.

    :param port: where the server listens on the loopback interface
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._token = read_token(port)

    def authorization(self) -> str:
        return f"Bearer {self._token}" if self._token else ""

    def refused(self, authorization: str) -> bool:
        self._token = read_token(self._port)
        return self.authorization() != authorization
