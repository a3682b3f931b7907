"""The rules for a submit request: the first that is broken refuses the whole request, as in Armada.

Source of the rules and of their order: ``internal/server/submit/validation`` of Armada v0.22.7, default configuration.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from airflow_armada.api.annotations import FAIL_FAST, PRICE_BAND
from airflow_armada.api.core_v1_pb2 import Container, PodSpec
from airflow_armada.api.quantity import milli_value, parse_quantity, whole_value
from airflow_armada.api.submit_pb2 import JobSubmitRequest, JobSubmitRequestItem
from airflow_armada.standalone.resource_amounts import amount_of, amounts, canonical
from airflow_armada.standalone.services.affinity_rules import affinity_problem
from airflow_armada.standalone.store.gangs import Gang, gang_of

MAX_JOB_SET_ID = 1024
MAX_CLIENT_ID = 100
MAX_POD_SPEC = 65535
MAX_GRACE = 300
MIN_RESOURCES = {"memory": "1Mi"}


class InvalidRequest(ValueError):
    """A rule is broken; the text is the server's."""


def check_request(request: JobSubmitRequest, priority_classes: Iterable[str]) -> None:
    """Check a request against every rule.

    :param priority_classes: the names that jobs may use
    :raises InvalidRequest: with the first rule that is broken
    """
    _require(request.queue != "", "queue is a required field")
    _check_gangs(request.job_request_items)
    _require(request.job_set_id != "", "job set id is a required field")
    length = len(request.job_set_id.encode())
    _require(
        length < MAX_JOB_SET_ID,
        f"job set id of length {length} must be less than max character length {MAX_JOB_SET_ID}",
    )
    allowed = frozenset(priority_classes)
    for item in request.job_request_items:
        _check_item(item, allowed)


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise InvalidRequest(problem)


def _check_item(item: JobSubmitRequestItem, priority_classes: frozenset[str]) -> None:
    _require(item.namespace != "", "namespace is a required field")
    spec = _pod_spec(item)
    _check_size(spec)
    problem = affinity_problem(spec.affinity.nodeAffinity)
    _require(not problem, problem)
    for container in (*spec.containers, *spec.initContainers):
        _check_resources(container)
    for container in spec.initContainers:
        _check_init_cpu(container)
    name = spec.priorityClassName
    _require(name == "" or name in priority_classes, f"priority class {name} is not supported")
    _check_grace(spec)
    _check_ingresses(item)
    _check_ports(spec)
    _check_client_id(item)
    _check_price_band(item)


def _pod_spec(item: JobSubmitRequestItem) -> PodSpec:
    single = item.HasField("pod_spec")
    _require(single or len(item.pod_specs) > 0, "Job must contain at least one PodSpec")
    _require(not (single and item.pod_specs), "PodSpec must be nil if PodSpecs is provided (i.e., these are exclusive)")
    _require(len(item.pod_specs) <= 1, "Jobs with multiple pods are not supported")
    return item.pod_spec if single else item.pod_specs[0]


def _check_size(spec: PodSpec) -> None:
    size = spec.ByteSize()
    _require(
        size <= MAX_POD_SPEC,
        f"Pod spec has a size of {size} bytes which is greater than the maximum allowed size of {MAX_POD_SPEC}",
    )


def _check_resources(container: Container) -> None:
    name = container.name
    try:
        requests, limits = amounts(container.resources.requests), amounts(container.resources.limits)
    except ValueError as error:
        raise InvalidRequest(f"container {name}: {error}") from None
    _require(bool(requests or limits), f"container {name} has no resources specified")
    _require(len(requests) == len(limits), f"container {name} defines different resources for requests and limits")
    for kind, values in (("request", requests), ("limit", limits)):
        for resource, amount in values.items():
            shown = f"({canonical(amount)}) for resource {resource}"
            _require(amount >= 0, f"container {name} defines negative resource {kind} {shown}")
    for resource, requested in requests.items():
        _require(resource in limits, f"container {name} defines {resource} for requests but not limits")
        limit, request = milli_value(limits[resource]), milli_value(requested)
        _require(limit >= request, f"container {name} defines {resource} with limits smaller than requests")
        _require(limit <= request, f"container {name} defines {resource} with limits great than 1.00*requests")
    for resource, minimum in MIN_RESOURCES.items():
        if resource in requests:
            written = container.resources.requests[resource].string
            _require(
                whole_value(requests[resource]) >= whole_value(parse_quantity(minimum)),
                f'container "{name}" {resource} requests ({written}) below server minimum ({minimum})',
            )


def _check_init_cpu(container: Container) -> None:
    for values in (container.resources.requests, container.resources.limits):
        cpu = amount_of(values["cpu"]) if "cpu" in values else Fraction(0)
        _require(
            cpu == 0 or milli_value(cpu) % 1000 != 0,
            f"Init container {container.name} contains invalid cpu value {values['cpu'].string}.  "
            "All init containers must set requests/limits to fractional cpu e.g. 900m",
        )


def _check_grace(spec: PodSpec) -> None:
    seconds = spec.terminationGracePeriodSeconds
    _require(
        0 <= seconds <= MAX_GRACE,
        # Armada prints its bounds in nanoseconds.
        f"terminationGracePeriodSeconds of {seconds} must be [{10**9}, {MAX_GRACE * 10**9}], or omitted",
    )


def _check_ingresses(item: JobSubmitRequestItem) -> None:
    seen: dict[int, int] = {}
    for index, ingress in enumerate(item.ingress):
        _require(len(ingress.ports) > 0, "ingress contains zero ports. Each ingress should have at least one port")
        for port in ingress.ports:
            _require(
                port not in seen,
                f"port {port} has two ingress configurations, specified in ingress configs with indexes "
                f"{seen.get(port)}, {index}. Each port should at maximum have one ingress configuration",
            )
            seen[port] = index


def _check_ports(spec: PodSpec) -> None:
    seen: dict[int, str] = {}
    for container in (*spec.containers, *spec.initContainers):
        for port in container.ports:
            number = port.containerPort
            _require(
                number not in seen,
                f'container port {number} is exposed multiple times, specified in containers "{seen.get(number)}" '
                f'and "{container.name}". Should only be exposed once',
            )
            seen[number] = container.name


def _check_client_id(item: JobSubmitRequestItem) -> None:
    length = len(item.client_id.encode())
    _require(
        length <= MAX_CLIENT_ID, f"client id of length {length} is greater than max allowed length of  {MAX_CLIENT_ID}"
    )


def _check_price_band(item: JobSubmitRequestItem) -> None:
    if PRICE_BAND in item.annotations:
        band = item.annotations[PRICE_BAND]
        _require(len(band) == 1 and band.upper() in "ABCDEFGH", f"price band {band} is not supported")


def _check_gangs(items: Iterable[JobSubmitRequestItem]) -> None:
    known: dict[str, tuple[Gang, str]] = {}
    for item in items:
        try:
            gang = gang_of(item.annotations)
        except ValueError as error:
            raise InvalidRequest(f"invalid gang information: {error}") from None
        if gang is None:
            continue
        _require(
            item.annotations.get(FAIL_FAST, "true") == "true",
            f"gang jobs may not set fail fast flag (annotation - {FAIL_FAST}) to anything but true",
        )
        spec = item.pod_specs[0] if item.pod_specs else item.pod_spec
        _check_agreement(*known.setdefault(gang.id, (gang, spec.priorityClassName)), gang, spec.priorityClassName)


def _check_agreement(expected: Gang, expected_class: str, gang: Gang, priority_class: str) -> None:
    for what, wanted, found in (
        ("gang cardinality", expected.cardinality, gang.cardinality),
        ("PriorityClassName", expected_class, priority_class),
        ("nodeUniformityLabel", expected.uniformity_label, gang.uniformity_label),
    ):
        _require(wanted == found, f"inconsistent {what} in gang {gang.id}: expected {wanted} but got {found}")
