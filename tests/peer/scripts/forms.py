"""Hands messages of ``armada-client`` to the forms of a job, and prints what was made of them as JSON."""

import json
import sys

from armada_client.armada import submit_pb2
from armada_client.k8s.io.api.core.v1 import generated_pb2 as core
from armada_client.k8s.io.apimachinery.pkg.api.resource import generated_pb2 as resource

from airflow_armada.jobs.build import build
from airflow_armada.jobs.kubernetes.convert import message_to_dict

one = {"cpu": resource.Quantity(string="1"), "memory": resource.Quantity(string="1Gi")}
container = core.Container(
    name="base",
    image="alpine",
    resources=core.ResourceRequirements(requests=one, limits=one),
    env=[core.EnvVar(name="A", value="1")],
)
spec = core.PodSpec(containers=[container], terminationGracePeriodSeconds=0)
item = submit_pb2.JobSubmitRequestItem(namespace="n", priority=2, pod_spec=spec, labels={"a": "b"})
request = submit_pb2.JobSubmitRequest(queue="q", job_set_id="s", job_request_items=[item])

made = {
    "item": build(job_request=item),
    "request": build(job_request=request),
    "spec": build(pod_spec=spec),
    "in a mapping": build(job_request={"namespace": "n", "podSpec": spec}),
    "as an argument": build(
        image="alpine", tolerations=[core.Toleration(key="k")], env_vars=[core.EnvVar(name="A", value="1")]
    ),
}
json.dump({name: message_to_dict(value) for name, value in made.items()}, sys.stdout)
