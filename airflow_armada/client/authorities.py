"""Whose certificates are trusted: the authorities of a file, else the system's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_armada.client.small_file import read_file

if TYPE_CHECKING:
    import ssl

_SYSTEM_ROOTS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def system_roots() -> str | None:
    """
    Find the system's CA bundle; ``$SSL_CERT_FILE`` goes first.

    :return: its path, None when there is none at the usual places
    """
    places = (os.environ.get("SSL_CERT_FILE"), *_SYSTEM_ROOTS)
    return next((path for path in places if path and Path(path).is_file()), None)


def verifying_context(ca_file: str, default: str | None = None) -> ssl.SSLContext:
    """
    Make a context that verifies servers.

    :param ca_file: PEM bundle to trust instead of the system's roots, "" for none
    :param default: path of the bundle to trust without one; None finds the system's
    :raises OSError: when a file cannot be read or holds no certificate
    :raises ValueError: when its path is none
    """
    import ssl

    if not ca_file:
        return ssl.create_default_context(cafile=default or system_roots())
    # What is not ASCII stands in comments only. Without certificates Python would take the system's roots.
    bundle = read_file(ca_file).decode("ascii", "ignore")
    if "-----BEGIN" not in bundle:
        raise OSError("it holds no PEM certificate")
    return ssl.create_default_context(cadata=bundle)
