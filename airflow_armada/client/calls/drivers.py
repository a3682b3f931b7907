"""Carrying out the steps of a call over a channel: the only code of the unary calls that does I/O."""

from __future__ import annotations

import asyncio
import time
from typing import Any, TypeVar

import grpc
import grpc.aio

from airflow_armada.api.methods import Method
from airflow_armada.client.calls.call import Attempt, Call, CallPolicy, conversation
from airflow_armada.client.errors import from_grpc

ResultT = TypeVar("ResultT")


class Driver:
    """Runs calls over a sync channel. Safe to use from several threads.

    :param channel: the channel
    :param policy: how long to try
    """

    def __init__(self, channel: grpc.Channel, policy: CallPolicy) -> None:
        self.channel = channel
        self.policy = policy

    def run(self, call: Call[ResultT]) -> ResultT:
        """Carry out a call and return its result.

        :raises ArmadaRpcError: when it failed for good
        """
        steps = conversation(call, self.policy)
        remote = call.method.bind(self.channel)
        reply: Any = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                result: ResultT = end.value
                return result
            if isinstance(step, Attempt):
                reply = _attempt(call.method, remote, step)
            else:
                time.sleep(step.seconds)
                reply = None


def _attempt(method: Method[Any, Any], remote: Any, step: Attempt) -> Any:
    try:
        answer = remote(step.request, timeout=step.timeout)
        return list(answer) if method.streaming else answer
    except grpc.RpcError as error:
        return from_grpc(error, method.name)


class AsyncDriver:
    """Runs calls over an asyncio channel.

    :param channel: the channel
    :param policy: how long to try
    """

    def __init__(self, channel: grpc.aio.Channel, policy: CallPolicy) -> None:
        self.channel = channel
        self.policy = policy

    async def run(self, call: Call[ResultT]) -> ResultT:
        """Carry out a call and return its result.

        :raises ArmadaRpcError: when it failed for good
        """
        steps = conversation(call, self.policy)
        remote = call.method.bind(self.channel)
        reply: Any = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                result: ResultT = end.value
                return result
            if isinstance(step, Attempt):
                reply = await _async_attempt(call.method, remote, step)
            else:
                await asyncio.sleep(step.seconds)
                reply = None


async def _async_attempt(method: Method[Any, Any], remote: Any, step: Attempt) -> Any:
    try:
        answer = remote(step.request, timeout=step.timeout)
        return [message async for message in answer] if method.streaming else await answer
    except grpc.RpcError as error:
        return from_grpc(error, method.name)
