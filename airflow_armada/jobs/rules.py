"""What a server is configured to accept. Defaults: ``config/server/config.yaml`` of Armada v0.22.7."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

SHIPPED_PRIORITY_CLASSES = frozenset(
    {"armada-default", "armada-preemptible", "armada-resilient", "armada-high-priority"}
)


@dataclass(frozen=True)
class ServerRules:
    """The part of a site's configuration that decides which jobs it accepts.

    :param priority_classes: allowed priority classes; None: any, the server decides
    :param max_pod_spec_bytes: largest pod spec, in bytes of its wire form
    :param oversubscription: by resource, how many times its request a limit may be; 1.0 for those not named
    :param min_resources: by resource, the smallest request
    :param termination_grace: smallest and largest termination grace period, in seconds
    :param fractional_init_cpu: refuse whole cpus in init containers
    :param restricted_tolerations: toleration keys that users may not set
    """

    priority_classes: frozenset[str] | None = SHIPPED_PRIORITY_CLASSES
    max_pod_spec_bytes: int = 65_535
    oversubscription: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    min_resources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({"memory": "1Mi"}))
    termination_grace: tuple[int, int] = (1, 300)
    fractional_init_cpu: bool = True
    restricted_tolerations: frozenset[str] = frozenset()


DEFAULT_RULES = ServerRules()
