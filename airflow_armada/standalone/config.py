"""The embedded Armada's settings; defaults are those that Armada ships where it has one.

Source of Armada's own: ``config/server/config.yaml`` and ``config/scheduler/config.yaml`` of v0.22.7.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any

CLUSTER = "standalone"
NODE = "standalone-node"
POOL = "default"
GPU_RESOURCES = frozenset({"nvidia.com/gpu", "amd.com/gpu"})


@dataclass(frozen=True)
class PriorityClass:
    """How urgent the jobs of a priority class are, and whether they may be stopped to make room.

    :param value: jobs of a class with a higher value go first and may take the place of preemptible ones
    """

    value: int
    preemptible: bool


DEFAULT_PRIORITY_CLASS = "armada-default"
PRIORITY_CLASSES: Mapping[str, PriorityClass] = MappingProxyType(
    {
        "armada-default": PriorityClass(100, preemptible=False),
        "armada-preemptible": PriorityClass(50, preemptible=True),
        "armada-resilient": PriorityClass(100, preemptible=False),
    }
)
SITES: Mapping[str, Mapping[str, PriorityClass]] = MappingProxyType(
    {
        "default": PRIORITY_CLASSES,
        # The National Research Platform has a class of its own.
        "nrp": MappingProxyType({**PRIORITY_CLASSES, "armada-high-priority": PriorityClass(1000, preemptible=False)}),
    }
)
"""The priority classes of sites, by the name of the site; ``default`` is what Armada ships."""


@dataclass(frozen=True)
class Retention:
    """How long what is over stays readable.

    :param events: seconds that a job set's events live after its last one
    :param jobs: seconds that the query API knows an ended job
    :param deduplication: seconds that a client id stands for its job
    :param pods: seconds that an ended pod and its logs stay; pods of cancelled and preempted jobs go at once
    :param finished_jobs: how many ended jobs are kept at most, whatever their age
    :param stored_events: above how many events in all those of the quietest job sets go, whatever their age
    """

    events: float = 336 * 3600.0
    jobs: float = 1008 * 3600.0
    deduplication: float = 168 * 3600.0
    pods: float = 180.0
    finished_jobs: int = 50_000
    stored_events: int = 2_000_000


@dataclass(frozen=True)
class Provided:
    """What a real cluster has beside its jobs, and what jobs may see of this machine.

    :param config_maps: content by key, by name
    :param secrets: content by key, by name
    :param host_paths: folders and files of this machine that ``hostPath`` volumes may lead to
    :param namespaces: the namespaces that there are; none for every one that is asked for
    """

    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    host_paths: tuple[str, ...] = ()
    namespaces: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Simulation:
    """How simulated pods behave where their annotations do not say so (see ``runner.simulation``).

    :param duration: seconds that a pod runs, or a range such as ``5-30``, from which chance takes one
    :param start: seconds from a pod's lease until it runs
    :param failures: part of the pods that end with exit code 1
    :param preemptions: part of the pods of preemptible classes that are preempted at their end
    :param speed: how many of a pod's seconds pass in a second
    :param seed: of what is left to chance
    """

    duration: str = "10"
    start: float = 0.0
    failures: float = 0.0
    preemptions: float = 0.0
    speed: float = 1.0
    seed: int = 0


def machine_cpus() -> Fraction:
    """Return how many CPUs this process may use."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Fraction(available or 1)


def machine_memory() -> Fraction:
    """Return the machine's memory in bytes."""
    return Fraction(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


@dataclass(frozen=True)
class Config:
    """Everything that can be set on an embedded Armada.

    :param cpus: cores that jobs may request in all
    :param memory: bytes of memory that jobs may request in all
    :param cycle: seconds between something to decide and the scheduler's decision on it
    :param query_lag: seconds by which the query API is behind the events
    :param utilisation_interval: seconds between two ``utilisation`` events of a running job
    :param log_limit: bytes of memory for a container's log; older lines give way
    :param log_limit_in_all: bytes of memory for all logs together
    :param disk_left: part of the disk that the jobs' folders leave free; if they do not, the largest job is evicted
    :param lease_attempts: runs that a job may have before a returned lease fails it
    :param max_retries: retries that a job may have, whatever its queue's retry policy grants
    :param error_categories: what an executor's configuration has as ``errorCategories``: which failures get a category,
        by which retry policies go
    :param priority_classes: the priority classes by name
    :param provided: config maps, secrets and host paths that jobs may use
    :param resources: further resources that jobs may request in all, such as ``nvidia.com/gpu``; they are only counted
    :param simulation: how simulated pods behave; None runs processes
    """

    cpus: Fraction = field(default_factory=machine_cpus)
    memory: Fraction = field(default_factory=machine_memory)
    cycle: float = 0.05
    query_lag: float = 0.0
    utilisation_interval: float = 300.0
    log_limit: int = 64 * 2**20
    log_limit_in_all: int = 1024 * 2**20
    disk_left: float = 0.05
    lease_attempts: int = 4
    max_retries: int = 5
    error_categories: Mapping[str, Any] = field(default_factory=dict)
    retention: Retention = field(default_factory=Retention)
    priority_classes: Mapping[str, PriorityClass] = field(default_factory=lambda: PRIORITY_CLASSES)
    provided: Provided = field(default_factory=Provided)
    resources: Mapping[str, Fraction] = field(default_factory=dict)
    simulation: Simulation | None = None
    node_labels: Mapping[str, str] = field(
        default_factory=lambda: {
            "kubernetes.io/hostname": NODE,
            "kubernetes.io/os": os.uname().sysname.lower(),
            "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        }
    )

    @property
    def capacity(self) -> dict[str, Fraction]:
        """The resources that are counted; a resource that is not named here is not."""
        none = {name: Fraction(0) for name in GPU_RESOURCES}
        return {"cpu": self.cpus, "memory": self.memory, **none, **self.resources}
