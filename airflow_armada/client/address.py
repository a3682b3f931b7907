"""Addresses: what host, port and scheme a text means, decided once for all servers that the client talks to.

Whoever types an address may put a password into it, so no error here shows what was given.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

from airflow_armada.client.failure import SettingsError

CLUSTER_ID = "{CLUSTER_ID}"
"""What stands for the id of a cluster in a template of addresses."""

DEFAULT_PORT = 50051
"""The port that both the server and Binoculars listen on as shipped."""

_PLAIN = {"http": True, "grpc": True, "https": False, "grpcs": False}
_PORTS = {"http": 80, "https": 443}
_GRPC_NAMES = ("unix:", "unix-abstract:", "dns:", "ipv4:", "ipv6:", "xds:", "vsock:")
_PARTS = re.compile(r"(?:\[(?P<ipv6>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>.*))?")
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?")
_SOME_CLUSTER = "some--cluster"
_CLUSTER = re.compile(r"[A-Za-z0-9._-]{1,253}")
_FOREIGN = (
    ("@", "it holds a user name or a password, which go into fields of their own"),
    ("?", "it holds options, which go into fields of their own"),
    ("#", "it holds a '#'"),
    (",", "it holds several addresses"),
    ("/", "it holds a path"),
)


@dataclass(frozen=True)
class Address:
    """
    Where a server is.

    :param host: name, IPv4 or IPv6 address without brackets; "" where only gRPC can resolve it
    :param port: 0 where only gRPC can resolve it
    :param scheme: "http", "https", "grpc", "grpcs", or "" when none was given
    :param grpc_name: a name of one of gRPC's own schemes, such as ``unix:/run/armada.sock``, or ""
    """

    host: str
    port: int
    scheme: str = ""
    grpc_name: str = ""

    @property
    def target(self) -> str:
        """What gRPC takes: ``host:port``, or the name that it resolves itself."""
        return self.grpc_name or (f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}")

    @property
    def plain(self) -> bool | None:
        """Whether the scheme asks for plain text; None without a scheme."""
        return _PLAIN.get(self.scheme)


def parse_address(text: str, what: str, *, port: int | None = None) -> Address:
    """
    Read the address of a gRPC server. The port is 443 for https, 80 for http and otherwise 50051 unless it is given.

    :param text: ``host``, ``host:port``, ``[ipv6]:port``, with or without a scheme, or a name of gRPC's own schemes
    :param what: the field that it stands in, for errors
    :param port: a port that was given apart from it
    :raises SettingsError: when it is anything else; the error does not show it
    """
    if text.startswith(_GRPC_NAMES):
        return _grpc_name(text, what, port)
    scheme, separator, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest.removesuffix("/")) if separator else ("", text)
    if separator and scheme not in _PLAIN:
        _refuse(what, "its scheme is not one of http, https, grpc and grpcs")
    host, own_port = _host_and_port(rest, what, bare_ipv6=port is not None)
    if port is not None and own_port is not None:
        _refuse(what, "it holds a port, and another one is given apart from it")
    chosen = next((one for one in (port, own_port) if one is not None), _PORTS.get(scheme, DEFAULT_PORT))
    if not 0 < chosen < 65536:
        _refuse(what, "a port is from 1 to 65535")
    return Address(host, chosen, scheme)


def check_target(text: str, what: str) -> None:
    """
    Check that an address is complete and ready for gRPC: with a port, without a scheme.

    :param text: the address, which may be a template with ``{CLUSTER_ID}``
    :param what: the field that it stands in, for errors
    :raises SettingsError: when it is not; the error does not show it
    """
    address = parse_template(text, what)
    if address.scheme:
        _refuse(what, f"write it without {address.scheme}://")
    if address.target != text:
        _refuse(what, "write it with a port from 1 to 65535")


def parse_template(text: str, what: str) -> Address:
    """Read an address that may hold ``{CLUSTER_ID}`` in its host; see :func:`parse_address`."""
    if CLUSTER_ID not in text:
        return parse_address(text, what)
    address = parse_address(text.replace(CLUSTER_ID, _SOME_CLUSTER), what)
    if _SOME_CLUSTER not in address.host or address.grpc_name:
        _refuse(what, f"{CLUSTER_ID} belongs into its host")
    return Address(address.host.replace(_SOME_CLUSTER, CLUSTER_ID), address.port, address.scheme)


def cluster_target(template: str, cluster_id: str) -> str:
    """
    Put the id of a cluster, which a server sent, into a template without letting it choose where that leads.

    An id may hold dots only where the template has a domain after it.

    :param template: ``host:port`` with ``{CLUSTER_ID}``
    :param cluster_id: the id
    :return: the address, "" when the id cannot be part of one
    """
    if CLUSTER_ID not in template:
        return template
    after = template.rpartition(CLUSTER_ID)[2].rpartition(":")[0]
    if not _CLUSTER.fullmatch(cluster_id) or ("." in cluster_id and "." not in after.strip(".")):
        return ""
    try:
        check_target(target := template.replace(CLUSTER_ID, cluster_id), "the log service")
    except SettingsError:
        return ""
    return target


def check_web_address(text: str, what: str, *, query: bool = False) -> Address:
    """
    Check the URL of a web server: http or https, without user, password and fragment.

    :param text: the URL
    :param what: the field that it stands in, for errors
    :param query: whether it may hold a query
    :return: where the server is
    :raises SettingsError: when it is none; the error does not show it
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise SettingsError(f"{what} must be an address such as https://host/path")
    if any(not "!" <= character <= "~" for character in text):
        raise SettingsError(f"{what} holds spaces or characters that no URL has")
    if parts.fragment or (parts.query and not query):
        raise SettingsError(f"{what} must be an address such as https://host/path, without ? and #")
    return parse_template(f"{parts.scheme}://{parts.netloc}", f"the host of {what}")


def is_loopback(host: str) -> bool:
    """
    Tell whether a host is this machine: what goes there needs no TLS and no proxy.

    :param host: a name or an address without brackets
    """
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_and_port(text: str, what: str, *, bare_ipv6: bool) -> tuple[str, int | None]:
    if any(character.isspace() or not character.isprintable() for character in text):
        _refuse(what, "it holds spaces or control characters")
    for character, reason in _FOREIGN:
        if character in text:
            _refuse(what, reason)
    if not text:
        _refuse(what, "it names no host")
    if text.count(":") > 1 and not text.startswith("["):
        if not bare_ipv6:
            _refuse(what, "write an IPv6 address as [address]:port")
        text = f"[{text}]"
    parts = _PARTS.fullmatch(text)
    if parts is None:
        _refuse(what, "what stands in [] is no IPv6 address")
    _check_host(parts["name"], parts["ipv6"], what)
    return parts["name"] or parts["ipv6"], _port(parts["port"], what)


def _check_host(name: str | None, ipv6: str | None, what: str) -> None:
    if ipv6 is not None:
        try:
            ipaddress.IPv6Address(ipv6)
        except ValueError:
            _refuse(what, "what stands in [] is no IPv6 address")
    elif not _NAME.fullmatch(name or ""):
        _refuse(what, "its host is no name that a server can have")


def _port(text: str | None, what: str) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        _refuse(what, "a port is from 1 to 65535")
    return int(text)


def _grpc_name(text: str, what: str, port: int | None) -> Address:
    if port is not None:
        _refuse(what, "a name that gRPC resolves holds its port, and another one is given apart from it")
    foreign = "" if text.startswith("unix") else "@?#"
    if any(character.isspace() or not character.isprintable() or character in foreign for character in text):
        _refuse(what, "it holds characters that no name has")
    if not text.startswith("dns:"):
        return Address("", 0, grpc_name=text)
    # "dns:" may name the DNS server to ask: dns://server/host:port.
    host = text.removeprefix("dns:")
    host = host.removeprefix("//").partition("/")[2] if host.startswith("//") else host
    address = parse_address(host, what)
    return Address(address.host, address.port, grpc_name=text)


def _refuse(what: str, reason: str) -> NoReturn:
    raise SettingsError(f"{what} must be host:port: {reason}")
