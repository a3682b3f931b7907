"""The arguments of :class:`~airflow_armada.operators.armada.ArmadaOperator` for editors and type checkers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Required, TypedDict

if TYPE_CHECKING:
    from airflow.sdk import DAG, TaskGroup, XComArg

    from airflow_armada.callbacks import JobCallbacks
    from airflow_armada.client.typings import JobState

Callback = Callable[..., Any] | Collection[Callable[..., Any]] | None
Many = list[Any] | tuple[Any, ...]
Texts = list[str] | tuple[str, ...]
"""A text is a sequence of texts, too, so that type checkers would take one for the other."""


class AirflowArguments(TypedDict, total=False):
    """What every operator of Airflow takes, of the versions that are supported."""

    task_id: Required[str]
    owner: str
    email: str | Sequence[str] | None
    email_on_retry: bool
    email_on_failure: bool
    retries: int | None
    retry_delay: timedelta | float
    retry_exponential_backoff: float
    max_retry_delay: timedelta | float | None
    retry_policy: Any
    start_date: datetime | None
    end_date: datetime | None
    depends_on_past: bool
    ignore_first_depends_on_past: bool
    wait_for_past_depends_before_skipping: bool
    wait_for_downstream: bool
    dag: DAG | None
    params: MutableMapping[str, Any] | None
    default_args: dict[str, Any] | None
    priority_weight: int
    weight_rule: Any
    queue: str
    pool: str | None
    pool_slots: int
    sla: timedelta | None
    execution_timeout: timedelta | None
    on_execute_callback: Callback
    on_failure_callback: Callback
    on_success_callback: Callback
    on_retry_callback: Callback
    on_skipped_callback: Callback
    pre_execute: Any
    post_execute: Any
    trigger_rule: str
    resources: dict[str, Any] | None
    run_as_user: str | None
    map_index_template: str | None
    max_active_tis_per_dag: int | None
    max_active_tis_per_dagrun: int | None
    executor: str | None
    executor_config: dict[str, Any] | None
    do_xcom_push: bool
    multiple_outputs: bool
    inlets: Any
    outlets: Any
    task_group: TaskGroup | None
    doc: str | None
    doc_md: str | None
    doc_json: str | None
    doc_yaml: str | None
    doc_rst: str | None
    task_display_name: str | None
    logger_name: str | None
    allow_nested_operators: bool
    render_template_as_native_obj: bool | None


class ContainerOptions(TypedDict, total=False):
    """What the main container runs."""

    image: str | XComArg | None
    cmds: Texts | XComArg | None
    arguments: Texts | XComArg | None
    env_vars: Mapping[str, Any] | Many | XComArg | None
    container_resources: Any
    env_from: Many | XComArg | None
    secrets: Many | XComArg | None
    configmaps: Many | XComArg | None
    ports: Many | XComArg | None
    volume_mounts: Many | XComArg | None
    working_dir: str | XComArg | None
    image_pull_policy: str | XComArg | None
    container_security_context: Any
    termination_message_policy: str | XComArg | None
    result_file: str | XComArg | None
    container_name: str | XComArg


class PodOptions(TypedDict, total=False):
    """What the pod needs."""

    volumes: Many | XComArg | None
    node_selector: Mapping[str, str] | XComArg | None
    affinity: Any
    tolerations: Many | XComArg | None
    security_context: Any
    service_account_name: str | XComArg | None
    image_pull_secrets: Many | XComArg | None
    hostname: str | XComArg | None
    subdomain: str | XComArg | None
    host_aliases: Many | XComArg | None
    hostnetwork: bool | XComArg | None
    dnspolicy: str | XComArg | None
    dns_config: Any
    runtime_class_name: str | XComArg | None
    automount_service_account_token: bool | XComArg | None
    init_containers: Many | XComArg | None
    containers: Many | XComArg | None
    termination_grace_period_seconds: int | str | XComArg | None
    active_deadline_seconds: int | str | XComArg | None
    priority_class_name: str | XComArg | None


class JobOptions(TypedDict, total=False):
    """What Armada adds to the pod, and the bases that all of it is laid over."""

    job_request: Any
    pod_spec: Any
    namespace: str | XComArg | None
    priority: float | str | XComArg | None
    labels: Mapping[str, str] | XComArg | None
    annotations: Mapping[str, str] | XComArg | None
    services: Many | XComArg | None
    ingress: Many | XComArg | None
    gang_id: str | XComArg | None
    gang_cardinality: int | str | XComArg | None
    gang_node_uniformity_label: str | XComArg | None
    fail_fast: bool | XComArg | None


class TaskOptions(TypedDict, total=False):
    """Where the job goes, and how its task waits for it."""

    armada_queue: str | XComArg
    job_set_id: str | XComArg
    armada_conn_id: str | XComArg
    deferrable: bool | None
    get_logs: bool | str | Texts
    get_result: bool | str
    dry_run: bool
    preemption_retries: int | XComArg
    resubmit_on: Texts | XComArg
    cancel_on_kill: bool
    wait_for_completion: bool
    reattach: str | Callable[[JobState, str], bool] | XComArg
    queued_timeout: float | timedelta | str | XComArg | None
    extra_links: Mapping[str, str] | XComArg | None
    lookout_url_template: str | XComArg | None
    callbacks: JobCallbacks | type[JobCallbacks] | Sequence[JobCallbacks | type[JobCallbacks]] | None
    skip_on_exit_code: int | Collection[int] | None
    armada_compat_xcom: bool
    end_from_trigger: bool


class OperatorArguments(AirflowArguments, ContainerOptions, PodOptions, JobOptions, TaskOptions, total=False):
    """All of them."""
