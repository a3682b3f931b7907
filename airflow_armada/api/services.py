"""What generated ``_pb2_grpc`` modules hold, made from the table of methods: stubs, and servicers for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from airflow_armada.api.methods import SERVICES, Method, methods_of


def stub_class(service: str) -> Any:
    """Return the class whose objects call a service over a channel.

    :param service: its full name, such as ``api.Submit``
    """
    methods = methods_of(SERVICES[service])

    def __init__(self: Any, channel: Any) -> None:
        for method in methods:
            setattr(self, method.name, method.bind(channel))

    return type(f"{_name(service)}Stub", (), {"__init__": __init__, "__doc__": f"Calls ``{service}`` over a channel."})


def servicer_class(service: str) -> Any:
    """Return the class to derive an implementation of a service from; what is not overridden is UNIMPLEMENTED.

    :param service: its full name, such as ``api.Submit``
    """
    members: dict[str, Any] = {method.name: _unimplemented for method in methods_of(SERVICES[service])}
    return type(f"{_name(service)}Servicer", (), members | {"__doc__": f"Serves ``{service}``."})


def registration(service: str) -> Callable[[Any, Any], None]:
    """Return the function that adds an implementation of a service to a server.

    Its answers may be messages of any package with the same fields, such as Google's ``Empty``.

    :param service: its full name, such as ``api.Submit``
    """

    def add(servicer: Any, server: Any) -> None:
        handlers = {
            method.name: _handler(method, getattr(servicer, method.name)) for method in methods_of(SERVICES[service])
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))

    return add


def _handler(method: Method[Any, Any], serve: Any) -> Any:
    make = grpc.unary_stream_rpc_method_handler if method.streaming else grpc.unary_unary_rpc_method_handler
    return make(serve, method.request.FromString, lambda answer: answer.SerializeToString())


def _unimplemented(self: Any, request: Any, context: Any) -> Any:
    context.set_code(grpc.StatusCode.UNIMPLEMENTED)
    context.set_details("Method not implemented!")
    raise NotImplementedError("Method not implemented!")


def _name(service: str) -> str:
    return service.rpartition(".")[2]
