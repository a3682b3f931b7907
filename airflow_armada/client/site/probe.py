"""
What lies between here and a server, found out with plain sockets: gRPC says UNAVAILABLE to all of it alike.

Imports neither grpc nor Airflow.
"""

from __future__ import annotations

import os
import socket
import ssl

from airflow_armada.client.address import Address, is_loopback, parse_address
from airflow_armada.client.authorities import verifying_context
from airflow_armada.client.foreign_text import one_line
from airflow_armada.client.settings import TlsSettings

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""How an HTTP/2 client begins (RFC 9113 section 3.4), with empty settings."""


class ProbeError(Exception):
    """
    A server cannot be reached in the way that the settings say.

    :param text: what happened
    :param fix: what most likely helps
    """

    def __init__(self, text: str, fix: str) -> None:
        super().__init__(text)
        self.fix = fix


def address_of(target: str) -> Address | None:
    """
    :param target: as gRPC takes it
    :return: host and port; None for names that only gRPC resolves, such as ``unix:/run/armada.sock``
    """
    address = parse_address(target, "the address")
    return address if address.host else None


def proxy_of(host: str) -> str:
    """
    :param host: a name or address
    :return: the proxy of the environment through which gRPC would go there, without its credentials; "" for none
    """
    from urllib.request import proxy_bypass

    chosen = next(filter(None, map(os.environ.get, ("grpc_proxy", "https_proxy", "http_proxy"))), "")
    if not chosen or proxy_bypass(host):
        return ""
    scheme, separator, rest = chosen.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def connect(address: Address, timeout: float) -> None:
    """
    Find out whether something listens.

    :param timeout: s
    :raises ProbeError: when nothing does
    """
    _socket(address, timeout).close()


def handshake(address: Address, tls: TlsSettings, timeout: float) -> str:
    """
    Find out whether a server's certificate is accepted under the given settings.

    :param timeout: s
    :return: the protocol, such as "TLSv1.3"
    :raises ProbeError: when it is not accepted, or the server speaks something else
    """
    context = _context(tls)
    name = tls.server_name or address.host
    try:
        with _socket(address, timeout) as plain, context.wrap_socket(plain, server_hostname=name) as encrypted:
            if encrypted.selected_alpn_protocol() != "h2":
                raise ProbeError(
                    f"{address.host}:{address.port} speaks TLS but not HTTP/2",
                    "give the port of the gRPC service; a proxy in between must allow HTTP/2",
                )
            if not _answers(encrypted):
                raise ProbeError(
                    f"{address.host}:{address.port} closed the connection after TLS", client_certificate_fix(tls)
                )
            return encrypted.version() or "TLS"
    except ssl.SSLCertVerificationError as error:
        raise ProbeError(*_certificate(error, name, tls)) from None
    except (ssl.SSLError, ConnectionError) as error:
        raise ProbeError(*_no_tls(error, address, tls)) from None
    except OSError as error:
        raise ProbeError(
            f"the TLS handshake got no answer: {_reason(error)}", "check that the server is healthy"
        ) from None


def _answers(encrypted: ssl.SSLSocket) -> bool:
    """
    Begin to speak HTTP/2: only the first answer tells that a TLS 1.3 server wants a client certificate.

    :return: whether the server keeps the connection
    :raises ssl.SSLError: when the server ends the handshake only now
    """
    try:
        encrypted.sendall(_PREFACE)
        return bool(encrypted.recv(1))
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def client_certificate_fix(tls: TlsSettings) -> str:
    """
    :return: what most likely helps when a server, or a proxy in front of it, wants another client certificate
    """
    if tls.cert_file:
        return f"the server may not accept the client certificate {tls.cert_file}"
    return "the server may want a client certificate (cert_file, key_file)"


def speaks_tls(address: Address, timeout: float) -> bool:
    """
    :param timeout: s
    :return: whether the server at an address answers a TLS handshake, whatever its certificate
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with _socket(address, timeout) as plain, context.wrap_socket(plain, server_hostname=address.host):
            return True
    except (OSError, ProbeError, ValueError):
        return False


def _socket(address: Address, timeout: float) -> socket.socket:
    where = f"{address.host}:{address.port}"
    try:
        return socket.create_connection((address.host, address.port), timeout=timeout)
    except socket.gaierror:
        raise ProbeError(f"the name {address.host} cannot be resolved", "check the host name and the DNS") from None
    except ConnectionRefusedError:
        raise ProbeError(
            f"nothing listens at {where}", "check the port (shipped default 50051) and the server"
        ) from None
    except TimeoutError:
        fix = "check the address and that a firewall lets it through"
        raise ProbeError(f"{where} did not answer within {timeout:g} s", fix) from None
    except (OSError, UnicodeError) as error:
        raise ProbeError(f"{where} cannot be reached: {_reason(error)}", "check the address and the network") from None


def _context(tls: TlsSettings) -> ssl.SSLContext:
    try:
        context = verifying_context(tls.ca_file, os.environ.get("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"))
    except (OSError, ValueError) as error:
        raise ProbeError(f"the CA file {tls.ca_file} cannot be used: {_reason(error)}", "give a PEM file") from None
    context.set_alpn_protocols(["h2"])
    if tls.cert_file:
        try:
            context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: "")
        except (OSError, ValueError) as error:
            text = f"the client certificate {tls.cert_file} or its key {tls.key_file} cannot be used: {_reason(error)}"
            raise ProbeError(text, "give a matching PEM pair whose key has no pass phrase") from None
    return context


def _certificate(error: ssl.SSLCertVerificationError, name: str, tls: TlsSettings) -> tuple[str, str]:
    text = f"the server's certificate is not accepted: {one_line(error.verify_message)}"
    # The numbers are OpenSSL's X509_V_ERR codes.
    if error.verify_code in (62, 64):
        return text, f"connect by a name that the certificate holds, or set server_name (it was {name!r})"
    if error.verify_code == 10:
        return text, "have the server's certificate renewed"
    if error.verify_code == 9:
        return text, "check the clocks of both machines"
    if tls.ca_file:
        return text, f"{tls.ca_file} does not hold the CA that signed it"
    return text, "set ca_file to the PEM file of the CA that signed it"


def _no_tls(error: OSError, address: Address, tls: TlsSettings) -> tuple[str, str]:
    reason = getattr(error, "reason", "") or ""
    where = f"{address.host}:{address.port}"
    if reason in (
        "WRONG_VERSION_NUMBER",
        "UNEXPECTED_EOF_WHILE_READING",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
    ):
        fix = "turn TLS off" if is_loopback(address.host) else "turn TLS off if this server really speaks plain text"
        return f"{where} does not speak TLS", f"{fix}, or check the port"
    if "CERTIFICATE_REQUIRED" in reason or "ALERT" in reason:
        return f"{where} ended the TLS handshake: {reason}", client_certificate_fix(tls)
    return f"the TLS handshake with {where} failed: {_reason(error)}", "check the port and a proxy in between"


def _reason(error: Exception) -> str:
    return one_line(getattr(error, "reason", None) or getattr(error, "strerror", None) or error) or type(error).__name__
