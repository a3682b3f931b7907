"""Reads one JSON request a line and answers in kind, with the message classes of ``armada-client``.

Runs in the environment of that package; the tests talk to it through pipes.
"""

import base64
import json
import random
import sys

import armada_client.client
import armada_client.log_client  # noqa: F401
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor as F

POOL = descriptor_pool.Default()
SCALARS = {
    F.TYPE_DOUBLE: lambda rng: rng.uniform(-1e6, 1e6),
    F.TYPE_FLOAT: lambda rng: rng.randint(-1000, 1000) / 4,
    F.TYPE_INT64: lambda rng: rng.randint(-(2**63), 2**63 - 1),
    F.TYPE_UINT64: lambda rng: rng.randint(0, 2**64 - 1),
    F.TYPE_INT32: lambda rng: rng.randint(-(2**31), 2**31 - 1),
    F.TYPE_UINT32: lambda rng: rng.randint(0, 2**32 - 1),
    F.TYPE_BOOL: lambda rng: rng.random() < 0.5,
    F.TYPE_STRING: lambda rng: "".join(rng.choice("aé漢 \n0") for _ in range(rng.randint(0, 6))),
    F.TYPE_BYTES: lambda rng: rng.randbytes(rng.randint(0, 6)),
}


def class_of(name):
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))


def content(message):
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def fill(message, rng, depth):
    """Set a random part of the message's fields."""
    for field in message.DESCRIPTOR.fields:
        if rng.random() < 0.4 or (field.message_type and depth == 0):
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            fill_map(getattr(message, field.name), field.message_type.fields_by_name, rng, depth)
        elif field.message_type and field.message_type.full_name == "google.protobuf.Timestamp":
            getattr(message, field.name).FromMilliseconds(rng.randint(0, 2**41))
        elif field.message_type:
            target = getattr(message, field.name)
            fill(target.add() if field.is_repeated else target, rng, depth - 1)
            if not field.is_repeated:
                target.SetInParent()
        elif field.is_repeated:
            getattr(message, field.name).extend(scalar(field, rng) for _ in range(2))
        else:
            setattr(message, field.name, scalar(field, rng))


def fill_map(target, entry, rng, depth):
    for _ in range(rng.randint(0, 2)):
        key = scalar(entry["key"], rng)
        if entry["value"].message_type:
            fill(target[key], rng, depth - 1)
        else:
            target[key] = scalar(entry["value"], rng)


def scalar(field, rng):
    if field.enum_type:
        return rng.choice([value.number for value in field.enum_type.values])
    return SCALARS[field.type](rng)


def describe(name):
    return {
        field.name: [
            field.number,
            field.type,
            field.is_repeated,
            field.has_presence,
            field.message_type.full_name if field.message_type else "",
            {value.name: value.number for value in field.enum_type.values} if field.enum_type else {},
        ]
        for field in POOL.FindMessageTypeByName(name).fields
    }


def parse(name, encoded):
    message = class_of(name).FromString(base64.b64decode(encoded))
    return {"content": content(message), "wire": base64.b64encode(message.SerializeToString()).decode()}


def make(name, seed):
    message = class_of(name)()
    fill(message, random.Random(seed), 3)
    return {"content": content(message), "wire": base64.b64encode(message.SerializeToString()).decode()}


def main():
    calls = {"describe": describe, "parse": parse, "make": make}
    for line in sys.stdin:
        call, *arguments = json.loads(line)
        print(json.dumps(calls[call](*arguments)), flush=True)


if __name__ == "__main__":
    main()
