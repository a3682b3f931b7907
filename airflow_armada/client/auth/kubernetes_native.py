"""The header by which Armada lets a Kubernetes cluster vouch for a service account: armadactl's kubernetesNativeAuth.

The server sends token and CA back to the cluster's own API server for review (``internal/common/auth/kubernetes.go``).
"""

from __future__ import annotations

import base64
import json
import os
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from airflow_armada.client.auth.credentials import bearer, read_secret
from airflow_armada.client.auth.http_request import BUSY, exchange
from airflow_armada.client.auth.renewing import RenewedCredentials
from airflow_armada.client.auth.tokens import Token, jwt_expiry
from airflow_armada.client.failure import CredentialsError
from airflow_armada.client.timestamps import moment

MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount"
_SCHEME = "KubernetesAuth "
_MOUNTED_LIFETIME = 60.0


@dataclass(frozen=True)
class KubernetesNative(RenewedCredentials):
    """The service account of the pod that makes the call.

    With a service account's name, a token is requested from the API server, as armadactl does; without one, the token
    that is mounted in the pod is used as it is, and read again as the kubelet renews it.

    :param expiry: s, the lifetime to request for a token
    :param service_account: its name; ``$SERVICE_ACCOUNT`` when empty
    :param namespace: of the service account; ``$POD_NAMESPACE`` or the mounted one when empty
    :param directory: where token, namespace and CA of the cluster are mounted
    """

    expiry: int = 3600
    service_account: str = ""
    namespace: str = ""
    directory: str = MOUNTED

    def authorization(self) -> str:
        authority = read_secret(f"{self.directory}/ca.crt", "CA of the cluster")
        body = json.dumps({"token": self.token(), "ca": _encoded(authority.encode())})
        return _SCHEME + _encoded(body.encode())

    def at_hand(self) -> str | None:
        return None  # The cluster's CA is read from a file.

    def refused(self, authorization: str) -> bool:
        return self.drop(token_of(authorization))

    def fetch(self) -> Token:
        mounted = bearer(read_secret(f"{self.directory}/token", "service account token"), "the mounted token")
        name = self.service_account or os.environ.get("SERVICE_ACCOUNT", "")
        if name:
            return self._requested(name, mounted)
        token, now = mounted.removeprefix("Bearer "), time.time()
        # The kubelet replaces the file long before the token in it expires.
        return Token(token, obtained_at=now, expires_at=min(now + _MOUNTED_LIFETIME, jwt_expiry(token) or now + 1e9))

    def _requested(self, name: str, authorization: str) -> Token:
        namespace = self.namespace or os.environ.get("POD_NAMESPACE", "")
        namespace = namespace or read_secret(f"{self.directory}/namespace", "namespace").strip()
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/serviceaccounts/{quote(name, safe='')}/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [], "expirationSeconds": self.expiry},
        }
        now = time.time()
        answer = _post(_api_server() + path, request, authorization, f"{self.directory}/ca.crt")
        status = answer["status"] if isinstance(answer.get("status"), dict) else {}
        token = bearer(str(status.get("token") or ""), "the token from the Kubernetes API server")
        expiry = moment(str(status.get("expirationTimestamp")))
        expires_at = expiry.timestamp() if expiry else None
        return Token(token.removeprefix("Bearer "), obtained_at=now, expires_at=expires_at)


def token_of(authorization: str) -> str:
    """Return the token in a header of this kind, or "" when it is none."""
    try:
        body = authorization.removeprefix(_SCHEME)
        return str(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["token"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _api_server() -> str:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise CredentialsError("this is not a pod of a Kubernetes cluster: KUBERNETES_SERVICE_HOST is not set")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _post(url: str, body: dict[str, Any], authorization: str, ca_file: str) -> dict[str, Any]:
    headers = {"Authorization": authorization, "Content-Type": "application/json", "Accept": "application/json"}
    text = json.dumps(body).encode()
    status, answer = exchange(url, body=text, headers=headers, ca_file=ca_file, use_proxy=False, failure=_unreachable)
    if not 200 <= status < 300:
        raise CredentialsError(f"{url} answered {status} to the request for a token", transient=status in BUSY)
    try:
        content = json.loads(answer)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise CredentialsError(f"{url} answered the request for a token with something else than JSON")
    return content


def _unreachable(message: str) -> CredentialsError:
    return CredentialsError(f"cannot request a token: {message}", transient=True)
