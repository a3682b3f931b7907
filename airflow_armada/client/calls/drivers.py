"""Carrying out the steps of a call over a channel: the only code of the unary calls that does I/O."""

from __future__ import annotations

import asyncio
import time
from typing import Any, TypeVar

import grpc
import grpc.aio

from airflow_armada.api.methods import Undecodable
from airflow_armada.client.calls.call import Attempt, Call, CallPolicy, conversation
from airflow_armada.client.errors import ArmadaRpcError, CredentialsError, UnreadableAnswer, from_grpc

ResultT = TypeVar("ResultT")


class _Bound:
    """The callables of a channel, made once for each method."""

    def __init__(self, channel: Any, policy: CallPolicy) -> None:
        self.channel = channel
        self.policy = policy
        self._remotes: dict[str, Any] = {}

    def _remote(self, step: Attempt) -> Any:
        path = step.method.path
        if path not in self._remotes:
            self._remotes[path] = step.method.bind(self.channel)
        return self._remotes[path]


def _readable(answer: Any, step: Attempt) -> Any:
    for one in answer if step.method.streaming else [answer]:
        if isinstance(one, Undecodable):
            text = f"the answer cannot be decoded: {one}"
            return UnreadableAnswer(grpc.StatusCode.INTERNAL, text, step.method.name)
    return answer


class Driver(_Bound):
    """Runs calls over a sync channel. Safe to use from several threads.

    :param channel: the channel
    :param policy: how long to try
    """

    def run(self, call: Call[ResultT]) -> ResultT:
        """Carry out a call and return its result.

        :raises ArmadaError: when it failed for good
        """
        steps = conversation(call, self.policy, time.monotonic)
        reply: Any = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                result: ResultT = end.value
                return result
            if isinstance(step, Attempt):
                reply = self._attempt(step)
            else:
                time.sleep(step.seconds)
                reply = None

    def _attempt(self, step: Attempt) -> Any:
        try:
            answer = self._remote(step)(step.request, timeout=step.timeout)
            return _readable(list(answer) if step.method.streaming else answer, step)
        except grpc.RpcError as error:
            return from_grpc(error, step.method.name)
        except CredentialsError as error:
            return error


class AsyncDriver(_Bound):
    """Runs calls over an asyncio channel.

    :param channel: the channel
    :param policy: how long to try
    """

    async def run(self, call: Call[ResultT]) -> ResultT:
        """Carry out a call and return its result.

        :raises ArmadaError: when it failed for good
        """
        steps = conversation(call, self.policy, asyncio.get_running_loop().time)
        reply: Any = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                result: ResultT = end.value
                return result
            if isinstance(step, Attempt):
                reply = await self._attempt(step)
            else:
                await asyncio.sleep(step.seconds)
                reply = None

    async def _attempt(self, step: Attempt) -> Any:
        try:
            answer = self._remote(step)(step.request, timeout=step.timeout)
            return _readable([one async for one in answer] if step.method.streaming else await answer, step)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Nobody cancelled the task: the channel was closed.
            return ArmadaRpcError(grpc.StatusCode.CANCELLED, "the channel was closed", step.method.name)
        except grpc.RpcError as error:
            return from_grpc(error, step.method.name)
        except CredentialsError as error:
            return error
