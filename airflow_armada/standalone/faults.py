"""Misbehaviour on demand, for tests: each fault is set from any thread while the server runs.

Nothing here is reachable over the network or from the command line.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from airflow_armada.api.methods import SERVICES, methods_of

ANY_METHOD = "*"
_NAMES = {ANY_METHOD, *(method.name for service in SERVICES.values() for method in methods_of(service))}


@dataclass
class Answer:
    """An error to answer with.

    :param left: to how many calls, None for all
    """

    code: grpc.StatusCode
    text: str
    left: int | None


class Faults:
    """What the server does wrong at present; nothing, to begin with.

    Methods are named as ``SubmitJobs`` or by their full path; ``*`` stands for all.

    :ivar query_lag: seconds by which the query API is behind the events, in addition to the server's own lag
    :ivar query_delay: seconds before the query API answers
    :ivar answer_delay: seconds before any call other than a stream is answered
    :ivar repeat_events: how often every new event is stored once more, with an id of its own
    :ivar drop_streams_after: messages after which a watch is broken off with UNAVAILABLE, None for never
    :ivar close_streams_after: seconds after which a watch ends as if nothing were left, None for never
    :ivar silent: whether watches stay open and say nothing
    :ivar forget_client_ids: whether client ids are not remembered, as when Armada fails after publishing the jobs
    :ivar refuse_pods: the text with which Kubernetes refuses to make pods, as for a quota; their jobs fail
    :ivar return_pods: the text with which it cannot make pods for the time being; their jobs are given back
    :ivar bus_away: whether Armada's message bus is away. Calls that submit, cancel, preempt or reprioritize block; what
        they ask is done when the bus is back, also if their deadline has passed, and then their client ids are not
        remembered. Nothing is scheduled meanwhile, and streams and query API hear nothing new of the jobs that run.
    """

    def __init__(self) -> None:
        self.query_lag = 0.0
        self.query_delay = 0.0
        self.answer_delay = 0.0
        self.repeat_events = 0
        self.drop_streams_after: int | None = None
        self.close_streams_after: float | None = None
        self.silent = False
        self.forget_client_ids = False
        self.refuse_pods = ""
        self.return_pods = ""
        self._bus_away = False
        self._lock = threading.Lock()
        self._refused: dict[str, list[Answer]] = {}
        self._lost: dict[str, list[Answer]] = {}
        self._listener: Callable[[], None] = _nobody
        self.interruptions: list[Answer | None] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Let the server know when open streams have to look at the faults again."""
        self._listener = listener

    @property
    def bus_away(self) -> bool:
        return self._bus_away

    @bus_away.setter
    def bus_away(self, away: bool) -> None:
        self._bus_away = away
        self._listener()

    def break_streams(
        self, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE, text: str = "stream broken by a fault"
    ) -> None:
        """Break off every watch that is open now."""
        self.interruptions.append(Answer(code, text, None))
        self._listener()

    def close_streams(self) -> None:
        """End every watch that is open now as if nothing were left, as a proxy may."""
        self.interruptions.append(None)
        self._listener()

    def refuse(
        self,
        method: str = ANY_METHOD,
        code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE,
        text: str = "refused by a fault",
        times: int | None = 1,
    ) -> None:
        """Answer calls with an error instead of doing what they ask.

        :param times: how many calls, None until :meth:`clear`
        """
        with self._lock:
            self._refused.setdefault(_name(method), []).append(Answer(code, text, times))

    def lose_response(
        self,
        method: str,
        code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE,
        text: str = "response lost by a fault",
        times: int | None = 1,
    ) -> None:
        """Do what calls ask and answer with an error all the same.

        :param times: how many calls, None until :meth:`clear`
        """
        with self._lock:
            self._lost.setdefault(_name(method), []).append(Answer(code, text, times))

    def clear(self) -> None:
        """Behave again."""
        fresh = vars(Faults())
        kept = ("_lock", "_listener", "interruptions")
        with self._lock:
            self.__dict__.update({name: value for name, value in fresh.items() if name not in kept})
        self._listener()

    def refusal(self, method: str) -> tuple[grpc.StatusCode, str] | None:
        """Return what to answer a call with before it is looked at, if anything."""
        return self._take(self._refused, method)

    def loss(self, method: str) -> tuple[grpc.StatusCode, str] | None:
        """Return what to answer a call with after it has been done, if anything."""
        return self._take(self._lost, method)

    def _take(self, answers: dict[str, list[Answer]], method: str) -> tuple[grpc.StatusCode, str] | None:
        if not answers:
            return None
        with self._lock:
            for name in (_name(method), ANY_METHOD):
                for answer in answers.get(name, []):
                    if answer.left is None or answer.left > 0:
                        answer.left = None if answer.left is None else answer.left - 1
                        return answer.code, answer.text
        return None


def _nobody() -> None:
    """Stand in for the server while there is none."""


def _name(method: str) -> str:
    """Return the name of a method that was given by its name or its path; a misspelt one would never be met."""
    name = method.rpartition("/")[2]
    if name not in _NAMES:
        raise ValueError(f"{method!r} is no method of Armada, which are named like SubmitJobs")
    return name
