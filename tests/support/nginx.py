"""A real nginx in front of an Armada, as sites have one in front of theirs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.certificates import Certificates
from tests.support.components import free_port, wait_until
from tests.support.tools import needed

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests {requests_per_connection};
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        {client}
        location / {{
            grpc_pass grpc://{target};
            grpc_read_timeout {read_timeout}s;
        }}
    }}
}}
"""


@contextmanager
def nginx(
    target: str,
    certificates: Certificates,
    *,
    client_certificate: bool = False,
    read_timeout: int = 60,
    requests_per_connection: int = 1000,
) -> Iterator[str]:
    """
    Run nginx with TLS for ``localhost`` in front of a plain server.

    :param target: ``host:port`` of the server
    :param certificates: makes its certificate
    :param client_certificate: whether callers must show a certificate of the same authority
    :param read_timeout: s after which a stream that says nothing is cut; 60 is what nginx is shipped with
    :param requests_per_connection: after which nginx asks for a new connection
    :return: a context manager that gives its ``localhost:port``
    """
    program = needed("nginx", "nginx-light")
    certificate, key = certificates.files("localhost")
    port, file = free_port(), certificates.folder / "nginx.conf"
    client = f"ssl_verify_client on; ssl_client_certificate {certificates.ca_file};" if client_certificate else ""
    file.write_text(
        CONFIGURATION.format(
            folder=certificates.folder,
            port=port,
            certificate=certificate,
            key=key,
            client=client,
            target=target,
            read_timeout=read_timeout,
            requests_per_connection=requests_per_connection,
        )
    )
    process = subprocess.Popen([program, "-c", str(file), "-p", str(certificates.folder), "-e", "stderr"])
    try:
        wait_until(lambda: _listens(port, process, certificates.folder), "nginx", 30)
        yield f"localhost:{port}"
    finally:
        process.kill()
        process.wait()


def _listens(port: int, process: subprocess.Popen[bytes], folder: Path) -> bool:
    import socket

    assert process.poll() is None, (folder / "error.log").read_text()
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
