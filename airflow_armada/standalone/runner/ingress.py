"""Where a job's ports can be reached: on the machine itself, because its processes listen there."""

from __future__ import annotations

from airflow_armada.api import submit_pb2
from airflow_armada.standalone.runner.environment import ADDRESS
from airflow_armada.standalone.store.model import Job


def ingress_addresses(job: Job) -> dict[int, str]:
    """Return ``host:port`` by port, for the ports of ingresses and NodePort services that a container declares."""
    spec = job.pod_spec
    declared = {
        port.containerPort
        for container in (*spec.containers, *(one for one in spec.initContainers if one.restartPolicy == "Always"))
        for port in container.ports
        if not port.hostPort
    }
    asked = {port for ingress in job.spec.ingress for port in ingress.ports}
    asked |= {port for one in job.spec.services if one.type == submit_pb2.NodePort for port in one.ports}
    return {port: f"{ADDRESS}:{port}" for port in sorted(asked & declared)}
