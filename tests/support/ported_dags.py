"""
Five DAGs for ``KubernetesPodOperator`` of the kinds that people publish, and the edits that bring each one here.

The originals stand here as their authors wrote them, with commands that this machine has. :func:`naive_port` changes
import and class; each edit is applied only when an error has named it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_HEAD = """
from datetime import timedelta

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG, task
from kubernetes.client import models as k8s

"""


@dataclass(frozen=True)
class Edit:
    """A change that an error asks for.

    :param named: what the error says of it
    :param old: text of the DAG
    :param new: what stands there afterwards
    """

    named: str
    old: str
    new: str


@dataclass(frozen=True)
class PortedDag:
    """A DAG that moves.

    :param dag_id: its id
    :param original: its file
    :param edits: what has to be changed besides import and class
    :param shows: lines of the jobs' logs
    :param queue: where the queue goes
    """

    dag_id: str
    original: str
    edits: tuple[Edit, ...]
    shows: tuple[str, ...]
    queue: str = "task_id="


def naive_port(original: str) -> str:
    """Return what somebody tries first."""
    old = "from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator"
    new = "from airflow_armada.operators.armada import ArmadaOperator"
    return original.replace(old, new).replace("KubernetesPodOperator", "ArmadaOperator")


def edited(text: str, edits: tuple[Edit, ...], parse: Callable[[str], str]) -> tuple[str, tuple[Edit, ...]]:
    """Apply the edits that errors name, until there is none.

    :param text: a DAG file
    :param edits: may be applied
    :param parse: gives the error of a DAG file, or nothing
    :return: the file, and the edits that were not needed
    """
    while error := parse(text):
        named = [edit for edit in edits if edit.named in error]
        assert named, f"the error names no edit: {error}"
        for edit in named:
            assert text.count(edit.old) == 1, edit
            text = text.replace(edit.old, edit.new)
        edits = tuple(edit for edit in edits if edit not in named)
    return text, edits


SPARK = PortedDag(
    "spark_pi",
    _HEAD
    + """
with DAG("spark_pi", schedule=None) as dag:
    KubernetesPodOperator(
        task_id="driver",
        name="spark-pi-driver",
        namespace="spark",
        image="apache/spark:3.5.1",
        cmds=["sh", "-c"],
        arguments=["echo --master k8s://https://kubernetes.default --conf spark.app={{ dag.dag_id }}; echo Pi is 3.14"],
        env_vars={"SPARK_DRIVER_MEMORY": "48m"},
        service_account_name="spark",
        container_resources=k8s.V1ResourceRequirements(
            requests={"cpu": "100m", "memory": "48Mi"},
            limits={"cpu": "200m", "memory": "48Mi"},
        ),
        kubernetes_conn_id="kubernetes_default",
        in_cluster=True,
        startup_timeout_seconds=600,
        is_delete_operator_pod=True,
        get_logs=True,
    )
""",
    (
        Edit("name is not needed here", '        name="spark-pi-driver",\n', ""),
        Edit(
            "kubernetes_conn_id is armada_conn_id here",
            'kubernetes_conn_id="kubernetes_default"',
            'armada_conn_id="armada_default"',
        ),
        Edit("in_cluster is not needed here", "        in_cluster=True,\n", ""),
        Edit("startup_timeout_seconds is called queued_timeout here", "startup_timeout_seconds", "queued_timeout"),
        Edit("is_delete_operator_pod is not needed here", "        is_delete_operator_pod=True,\n", ""),
        Edit("limits['cpu']: must equal the request, 100m", '"cpu": "100m"', '"cpu": "200m"'),
    ),
    ("--master k8s://https://kubernetes.default --conf spark.app=spark_pi", "Pi is 3.14"),
)

DBT = PortedDag(
    "dbt_run",
    _HEAD
    + """
from pathlib import Path

class Warnings:
    @staticmethod
    def on_pod_creation(*, pod, client, mode, **kwargs):
        Path("/tmp").exists()

    @staticmethod
    def progress_callback(*, line, client, mode, **kwargs):
        line.count("WARN")

with DAG("dbt_run", schedule=None) as dag:
    common = dict(
        namespace="analytics",
        image="ghcr.io/dbt-labs/dbt-postgres:1.8.0",
        env_vars=[
            k8s.V1EnvVar(name="DBT_TARGET", value="{{ params.get('target', 'prod') }}"),
            k8s.V1EnvVar(name="POD", value_from=k8s.V1EnvVarSource(
                field_ref=k8s.V1ObjectFieldSelector(field_path="metadata.name"))),
        ],
        container_resources=k8s.V1ResourceRequirements(limits={"cpu": "100m", "memory": "32Mi"}),
        labels={"app": "dbt", "project": "shop"},
        on_finish_action="delete_succeeded_pod",
        random_name_suffix=True,
        log_events_on_failure=True,
        callbacks=Warnings,
    )
    run, test = (
        KubernetesPodOperator(
            task_id=step, name=f"dbt-{step}", cmds=["sh", "-c", f"echo dbt {step} --target $DBT_TARGET"], **common
        )
        for step in ("run", "test")
    )
    run >> test
""",
    (
        Edit("name is not needed here", 'name=f"dbt-{step}", ', ""),
        Edit("on_finish_action is not needed here", '        on_finish_action="delete_succeeded_pod",\n', ""),
        Edit("random_name_suffix is not needed here", "        random_name_suffix=True,\n", ""),
        Edit("log_events_on_failure is not needed here", "        log_events_on_failure=True,\n", ""),
        Edit("on_pod_creation is submitted here", "def on_pod_creation(*, pod, client, mode,", "def submitted(*, job,"),
        Edit(
            "progress_callback is line here",
            "def progress_callback(*, line, client, mode, **kwargs):\n        line.count(",
            "def line(*, text, **kwargs):\n        text.count(",
        ),
        Edit("line needs deferrable=False", "callbacks=Warnings,", "callbacks=Warnings,\n        deferrable=False,"),
    ),
    ("dbt run --target prod", "dbt test --target prod"),
    queue="task_id=step",
)

TRAINING = PortedDag(
    "train",
    _HEAD
    + """
with DAG("train", schedule=None) as dag:
    KubernetesPodOperator(
        task_id="fit",
        name="fit-{{ ds_nodash }}",
        image="nvcr.io/nvidia/pytorch:24.05-py3",
        cmds=["sh", "-c"],
        arguments=["echo ${WANDB_API_KEY:+token} $(cat /etc/hub/token); touch /data/x /dev/shm/x && echo fitted"],
        env_vars=[
            k8s.V1EnvVar(name="WANDB_API_KEY", value_from=k8s.V1EnvVarSource(
                secret_key_ref=k8s.V1SecretKeySelector(name="hub", key="token"))),
        ],
        volumes=[
            k8s.V1Volume(name="shm", empty_dir=k8s.V1EmptyDirVolumeSource(medium="Memory", size_limit="16Mi")),
            k8s.V1Volume(name="data", empty_dir=k8s.V1EmptyDirVolumeSource()),
            k8s.V1Volume(name="hub", secret=k8s.V1SecretVolumeSource(secret_name="hub")),
        ],
        volume_mounts=[
            k8s.V1VolumeMount(name="shm", mount_path="/dev/shm"),
            k8s.V1VolumeMount(name="data", mount_path="/data"),
            k8s.V1VolumeMount(name="hub", mount_path="/etc/hub", read_only=True),
        ],
        container_resources=k8s.V1ResourceRequirements(
            requests={"cpu": "200m", "memory": "64Mi", "nvidia.com/gpu": "1"},
            limits={"cpu": "200m", "memory": "64Mi", "nvidia.com/gpu": "1"},
        ),
        tolerations=[k8s.V1Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")],
        affinity=k8s.V1Affinity(node_affinity=k8s.V1NodeAffinity(
            preferred_during_scheduling_ignored_during_execution=[k8s.V1PreferredSchedulingTerm(
                weight=1, preference=k8s.V1NodeSelectorTerm(match_expressions=[k8s.V1NodeSelectorRequirement(
                    key="gpu", operator="In", values=["a100"])]))])),
        schedulername="volcano",
        termination_grace_period=120,
        config_file="/opt/airflow/kubeconfig",
        cluster_context="gpu-cluster",
        poll_interval=10,
        execution_timeout=timedelta(hours=12),
        deferrable=True,
    )
""",
    (
        Edit("name is not needed here", '        name="fit-{{ ds_nodash }}",\n', ""),
        Edit("schedulername is not needed here", '        schedulername="volcano",\n', ""),
        Edit(
            "termination_grace_period is called termination_grace_period_seconds here",
            "termination_grace_period=",
            "termination_grace_period_seconds=",
        ),
        Edit("config_file is not needed here", '        config_file="/opt/airflow/kubeconfig",\n', ""),
        Edit("cluster_context is not needed here", '        cluster_context="gpu-cluster",\n', ""),
        Edit("poll_interval is not needed here", "        poll_interval=10,\n", ""),
        Edit(
            "preferredDuringSchedulingIgnoredDuringExecution",
            """        affinity=k8s.V1Affinity(node_affinity=k8s.V1NodeAffinity(
            preferred_during_scheduling_ignored_during_execution=[k8s.V1PreferredSchedulingTerm(
                weight=1, preference=k8s.V1NodeSelectorTerm(match_expressions=[k8s.V1NodeSelectorRequirement(
                    key="gpu", operator="In", values=["a100"])]))])),
""",
            "",
        ),
    ),
    ("token s3cret-t0ken", "fitted"),
)

POD_FILE = PortedDag(
    "from_pod_file",
    _HEAD
    + """
with DAG("from_pod_file", schedule=None) as dag:
    KubernetesPodOperator(
        task_id="report",
        name="report",
        pod_template_file="POD_FILE",
        base_container_name="main",
        env_vars={"DAY": "{{ params.get('day', 'monday') }}"},
        labels={"team": "reports"},
        reattach_on_restart=True,
        do_xcom_push=False,
        container_logs=["main"],
        init_container_logs=True,
    )
""",
    (
        Edit("name is not needed here", '        name="report",\n', ""),
        Edit("pod_template_file is pod_spec here", "pod_template_file=", "pod_spec="),
        Edit("base_container_name is called container_name here", "base_container_name=", "container_name="),
        Edit("reattach_on_restart is called reattach here", "        reattach_on_restart=True,\n", ""),
        Edit("container_logs is get_logs here", "container_logs=[", "get_logs=["),
        Edit("init_container_logs is get_logs here", "        init_container_logs=True,\n", ""),
    ),
    ("report of monday by from_pod_file",),
)
POD = """
apiVersion: v1
kind: Pod
metadata:
  labels:
    app: report
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: busybox:1.37
    command: [sh, -c, 'echo report of $DAY by {{ dag.dag_id }}']
    resources:
      limits: {cpu: 100m, memory: 32Mi}
"""

XCOM = PortedDag(
    "produces_xcom",
    _HEAD
    + """
with DAG("produces_xcom", schedule=None) as dag:
    produce = KubernetesPodOperator(
        task_id="produce",
        name="produce",
        image="alpine:3.20",
        cmds=["sh", "-c", "mkdir -p /airflow/xcom; echo '[1, 2, 3]' > /airflow/xcom/return.json"],
        container_resources=k8s.V1ResourceRequirements(limits={"cpu": "100m", "memory": "32Mi"}),
        do_xcom_push=True,
        durable=True,
    )

    @task
    def total(numbers):
        print("the total is", sum(numbers))
        return sum(numbers)

    total(produce.output)
""",
    (
        Edit("name is not needed here", '        name="produce",\n', ""),
        Edit("durable is called reattach here, and is on by default", "        durable=True,\n", ""),
        Edit(
            "add get_result=True, result_file='/airflow/xcom/return.json'",
            "        do_xcom_push=True,\n",
            '        get_result=True,\n        result_file="/airflow/xcom/return.json",\n',
        ),
    ),
    (),
)

PORTED = (SPARK, DBT, TRAINING, POD_FILE, XCOM)
