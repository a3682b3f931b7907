"""Message classes made from the compiled descriptor set, in a descriptor pool of their own.

A private pool lets these classes live beside ``armada-client`` in one process: that package registers the same
message names in protobuf's default pool, where a second registration is an error. The descriptor set is data, so,
unlike generated ``_pb2.py`` code, it does not bind the package to one generation of the protobuf runtime.
"""

from __future__ import annotations

import copyreg
from importlib.resources import files
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message


def _load() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    content = files(__package__).joinpath("descriptors.binpb").read_bytes()
    for file in descriptor_pb2.FileDescriptorSet.FromString(content).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


POOL = _load()


def define(namespace: dict[str, Any], proto: str) -> None:
    """Put the messages, enums and enum values of one .proto file into a module, as generated code would.

    :param namespace: the module's ``globals()``
    :param proto: the file's name in the descriptor set, relative to ``proto/``
    """
    file = POOL.FindFileByName(proto)
    namespace["DESCRIPTOR"] = file
    for name, descriptor in file.message_types_by_name.items():
        namespace[name] = _message_class(descriptor, namespace["__name__"], name)
    for name, enum in file.enum_types_by_name.items():
        namespace[name] = EnumTypeWrapper(enum)
        namespace.update((value.name, value.number) for value in enum.values)


def _message_class(descriptor: Descriptor, module: str, qualname: str) -> type[Any]:
    cls: type[Any] = message_factory.GetMessageClass(descriptor)
    cls.__module__, cls.__qualname__ = module, qualname
    copyreg.pickle(cls, _reduce)
    for nested in descriptor.nested_types:
        _message_class(nested, module, f"{qualname}.{nested.name}")
    return cls


def _reduce(message: Message) -> tuple[Any, ...]:
    # protobuf's own reduce looks nested classes up in the default pool, where these are not.
    return _revive, (message.DESCRIPTOR.full_name, message.SerializePartialToString())


def _revive(full_name: str, content: bytes) -> Message:
    cls: type[Message] = message_factory.GetMessageClass(POOL.FindMessageTypeByName(full_name))
    return cls.FromString(content)
