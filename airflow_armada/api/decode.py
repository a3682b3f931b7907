"""Reading messages in spite of texts that are not UTF-8.

Armada is written in Go with gogo/protobuf, which writes any bytes into a text, such as a container's last words in the
reason of a failure. Protobuf for Python refuses the whole message for one of them.
"""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

T = TypeVar("T", bound=Message)

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def decode(message: type[T], raw: bytes) -> T:
    """Read a message; bytes in its texts that are no UTF-8 become replacement characters.

    :param message: its class
    :param raw: what came
    :raises DecodeError: when it is no such message
    """
    try:
        return message.FromString(raw)
    except DecodeError:
        try:
            mended = _mended(raw, message.DESCRIPTOR)
        except (IndexError, ValueError):
            mended = raw
        return message.FromString(mended)


def _mended(raw: bytes, descriptor: Any) -> bytes:
    """Copy an encoded message field by field, with texts made valid.

    :raises ValueError: when it is not well-formed; so does IndexError
    """
    mended = bytearray()
    position = 0
    while position < len(raw):
        begin = position
        tag, position = _varint(raw, position)
        wire_type = tag & 7
        if wire_type == _BYTES:
            mended += raw[begin:position]
            length, position = _varint(raw, position)
            body = raw[position : position + length]
            if len(body) != length:
                raise ValueError("a field is cut off")
            position += length
            body = _mended_field(body, descriptor.fields_by_number.get(tag >> 3))
            mended += _as_varint(len(body)) + body
            continue
        if wire_type == _VARINT:
            _, position = _varint(raw, position)
        elif wire_type in (_FIXED64, _FIXED32):
            position += 8 if wire_type == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire_type}")
        mended += raw[begin:position]
    return bytes(mended)


def _mended_field(body: bytes, field: Any) -> bytes:
    if field is None:
        return body
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _mended(body, field.message_type)
    if field.type == FieldDescriptor.TYPE_STRING:
        return body.decode("utf-8", "replace").encode()
    return body


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number without an end")


def _as_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
