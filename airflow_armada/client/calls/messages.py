"""Accepting messages of other message classes, and dividing lists that are too long for one request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

MessageT = TypeVar("MessageT", bound=Message)
ItemT = TypeVar("ItemT")

MAX_REQUEST_BYTES = 4_000_000
"""The server takes 4 MiB (grpc-go's default, which Armada does not change); the rest is room for the other fields."""

MAX_QUERY_IDS = 500
"""The query API refuses more (``queryapi.maxQueryItems``)."""

MAX_COMMAND_IDS = 10_000
"""Ids in a cancel, preempt or reprioritize request: a third of a megabyte."""


def adopt(message: Any, kind: type[MessageT]) -> MessageT:
    """Return a message as one of our classes.

    A message of another package with the same full name, such as one of ``armada-client``, is serialised and parsed.

    :param message: the message, or a mapping of its fields
    :param kind: our class
    :raises TypeError: when it is not a message of that name
    """
    if isinstance(message, kind):
        return message
    if isinstance(message, Mapping):
        return kind(**message)
    descriptor = getattr(message, "DESCRIPTOR", None)
    if getattr(descriptor, "full_name", None) != kind.DESCRIPTOR.full_name:
        raise TypeError(f"expected a {kind.DESCRIPTOR.full_name} message, not {type(message).__name__}")
    return kind.FromString(message.SerializeToString())


def adopt_all(messages: Iterable[Any] | None, kind: type[MessageT]) -> list[MessageT]:
    """Return messages as ours, see :func:`adopt`; None counts as none."""
    return [adopt(message, kind) for message in messages or ()]


def by_count(items: Sequence[ItemT], most: int) -> Iterator[Sequence[ItemT]]:
    """Divide a list into parts of at most so many items; an empty list has no parts."""
    for start in range(0, len(items), most):
        yield items[start : start + most]


def by_bytes(items: Iterable[MessageT], most: int = MAX_REQUEST_BYTES) -> Iterator[list[MessageT]]:
    """Divide messages into parts whose serialised sizes stay within a limit, keeping their order.

    A message that is larger than the limit by itself makes a part of its own, for the server to judge.

    :param items: the messages
    :param most: bytes per part
    """
    part: list[MessageT] = []
    size = 0
    for item in items:
        # A repeated field costs a tag and a length besides the message: at most 6 bytes.
        needed = item.ByteSize() + 6
        if part and size + needed > most:
            yield part
            part, size = [], 0
        part.append(item)
        size += needed
    if part:
        yield part
