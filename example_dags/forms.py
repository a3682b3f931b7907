"""Every form in which a job can be given; each task says the same in another way.

All forms are templates, are checked when this file is parsed as far as they are known then, and can have arguments laid
over them, such as the ``env_vars`` here. Airflow shows each job, as it was sent, under *Rendered Templates*.
"""

from typing import Any

from airflow.sdk import DAG, Context

from airflow_armada.api import core_v1_pb2, resource_pb2
from airflow_armada.operators.armada import ArmadaOperator

try:
    from kubernetes import client as k8s
except ImportError:  # the provider does not need that package
    k8s = None

SAY = ["sh", "-c", 'echo "$FORM on $DAY"']
SMALL = {"cpu": "100m", "memory": "32Mi"}

MANIFEST = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"labels": {"app": "forms"}},
    "spec": {
        "containers": [
            {
                "name": "main",
                "image": "busybox:1.37",
                "command": SAY,
                "resources": {"requests": SMALL, "limits": SMALL},
            }
        ]
    },
}

YAML = """
containers:
  - name: main
    image: busybox:1.37
    command: [sh, -c, 'echo "$FORM on {{ params.day }}"']
    resources:
      limits: {cpu: 100m, memory: 32Mi}   # requests are set to the limits
"""


def message() -> core_v1_pb2.PodSpec:
    """Return a pod as the message that Armada's API takes; one of ``armada-client`` does as well."""
    quantities = {name: resource_pb2.Quantity(string=text) for name, text in SMALL.items()}
    resources = core_v1_pb2.ResourceRequirements(requests=quantities, limits=quantities)
    main = core_v1_pb2.Container(name="main", image="busybox:1.37", command=SAY, resources=resources)
    return core_v1_pb2.PodSpec(containers=[main])


def decide(context: Context) -> dict[str, Any]:
    """Return a pod that depends on the run: more memory with every try."""
    limits = {"cpu": "100m", "memory": f"{32 * context['ti'].try_number}Mi"}
    return {"containers": [{"name": "main", "image": "busybox:1.37", "command": SAY, "resources": {"limits": limits}}]}


def job(form: str, **arguments: Any) -> ArmadaOperator:
    """Return a task whose job says in which form it was given."""
    return ArmadaOperator(
        task_id=form, armada_queue="example", env_vars={"FORM": form, "DAY": "{{ params.day }}"}, **arguments
    )


with DAG("armada_forms", schedule=None, params={"day": "2026-11-22"}, tags=["armada"]):
    job("short_form", image="busybox:1.37", cmds=SAY, container_resources=SMALL)
    job("manifest", pod_spec=MANIFEST)
    job("yaml_text", pod_spec=YAML)
    job("yaml_file", pod_spec="jobs/pod.yaml")
    job("armadactl_file", job_request="jobs/armadactl.yaml")
    job("message", pod_spec=message())
    job("function", pod_spec=decide)
    if k8s:
        resources = k8s.V1ResourceRequirements(limits=SMALL)
        main = k8s.V1Container(name="main", image="busybox:1.37", command=SAY, resources=resources)
        job("kubernetes_model", pod_spec=k8s.V1PodSpec(containers=[main]))
    ArmadaOperator(
        task_id="dry_run", armada_queue="example", image="busybox:1.37", cmds=SAY, secrets=["db"], dry_run=True
    )
