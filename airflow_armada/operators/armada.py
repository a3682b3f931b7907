"""The operator: one task is one Armada job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_armada._compat import TaskDeferralError, TaskDeferralTimeout, default_deferrable
from airflow_armada.hooks.armada import ArmadaHook
from airflow_armada.links.armada import LookoutLink
from airflow_armada.operators import arguments as check
from airflow_armada.operators.job_run import JobRun
from airflow_armada.operators.submission import REATTACH_POLICIES, RUNNING_OR_SUCCEEDED

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

    from airflow_armada.jobs.build import JobRequest
    from airflow_armada.jobs.identity import JobIdentity

_BASES = ("pod_spec", "job_request")
_FILES = (".yaml", ".yml", ".json")


class ArmadaOperator(BaseOperator):
    """
    Run a job on Armada and wait for its end.

    The job is given by the short form (``image`` and so on), by ``pod_spec`` or by ``job_request``; the short form is
    laid over the other two. ``pod_spec`` and ``job_request`` may be a dictionary, a Kubernetes model, a message, YAML
    text or the name of a ``.yaml`` or ``.json`` template file.

    :param armada_queue: queue to submit to.
    :param image: container image.
    :param cmds: entry point of the container.
    :param arguments: arguments of the entry point.
    :param env_vars: environment of the container.
    :param container_resources: ``requests`` and ``limits``, or a flat mapping that means both.
    :param env_from: whole config maps and secrets as environment, as Kubernetes writes it.
    :param secrets: secrets as environment or files; see ``docs/jobs.md``.
    :param configmaps: config maps as environment or files; see ``docs/jobs.md``.
    :param ports: ports of the container.
    :param volumes: volumes of the pod.
    :param volume_mounts: where the container sees them.
    :param working_dir: working folder of the container.
    :param image_pull_policy: ``Always``, ``IfNotPresent`` or ``Never``.
    :param container_security_context: security context of the container.
    :param node_selector: labels that the node must have.
    :param affinity: affinity; Armada refuses preferred node affinity.
    :param tolerations: taints that the job tolerates.
    :param security_context: security context of the pod.
    :param service_account_name: service account of the pod.
    :param image_pull_secrets: names of secrets for pulling images.
    :param init_containers: containers that run first.
    :param containers: further containers beside the main one.
    :param termination_grace_period_seconds: seconds between the polite and the final signal, 1 to 300.
    :param services: ports to expose within the cluster.
    :param ingress: ports to expose over HTTP.
    :param gang_id: gang of jobs that start together; unique per gang, never used again.
    :param gang_cardinality: number of jobs in the gang.
    :param gang_node_uniformity_label: node label on whose value the whole gang must agree.
    :param namespace: Kubernetes namespace of the pod; "default" if nothing says otherwise.
    :param priority: priority within the queue; the lower number starts earlier.
    :param priority_class_name: Armada priority class, which decides whether the job can be preempted.
    :param labels: labels of the pod.
    :param annotations: annotations of the job.
    :param pod_spec: a whole pod specification.
    :param job_request: a whole job request, as ``armadactl submit`` reads it.
    :param container_name: container that the short form means; the first one by default.
    :param job_set_id: job set; by default all tasks of a DAG run share ``<dag_id>.<run_id>``, and one event stream.
    :param armada_conn_id: Airflow connection of type ``armada``.
    :param deferrable: free the worker while the job runs; by default what ``[operators] default_deferrable`` says, and
        true if nobody has set it.
    :param get_logs: show the job's log in the task log.
    :param get_result: return the value that the job prints on its log as ``::armada-result::<JSON>``, instead of the
        facts about the job; a job that prints none then fails its task.
    :param preemption_retries: how often to submit the job again, within the try, after an end listed in
        ``resubmit_on``.
    :param resubmit_on: ends of which the job is innocent: ``preempted``, ``evicted``, ``lease_expired``.
    :param cancel_on_kill: cancel the job when the task is killed, cleared or marked.
    :param wait_for_completion: wait for the end of the job; otherwise the task succeeds once it is submitted.
    :param reattach: what a retry does with the job of the try before: ``never``, ``running`` or
        ``running_or_succeeded`` says which ones it takes over. A cleared task always runs anew.
    :param queued_timeout: how long the job may wait for its start, in seconds or as a ``timedelta``.
    :param active_deadline_seconds: seconds after which Kubernetes ends the job; the server's default is 72 h.
    :param fail_fast: do not let Armada itself run the job again after a failed run.
    """

    template_fields: Sequence[str] = (
        "armada_queue",
        "image",
        "cmds",
        "arguments",
        "env_vars",
        "container_resources",
        "env_from",
        "secrets",
        "configmaps",
        "ports",
        "volumes",
        "volume_mounts",
        "working_dir",
        "image_pull_policy",
        "container_security_context",
        "node_selector",
        "affinity",
        "tolerations",
        "security_context",
        "service_account_name",
        "image_pull_secrets",
        "init_containers",
        "containers",
        "termination_grace_period_seconds",
        "services",
        "ingress",
        "gang_id",
        "gang_cardinality",
        "gang_node_uniformity_label",
        "namespace",
        "priority",
        "priority_class_name",
        "labels",
        "annotations",
        "pod_spec",
        "job_request",
        "container_name",
        "job_set_id",
        "armada_conn_id",
        "queued_timeout",
        "active_deadline_seconds",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "env_vars": "json",
        "container_resources": "json",
        "pod_spec": "yaml",
        "job_request": "yaml",
    }
    operator_extra_links = (LookoutLink(),)
    ui_color = "#dfe9f5"

    def __init__(
        self,
        *,
        armada_queue: str,
        image: str | None = None,
        cmds: Sequence[str] | None = None,
        arguments: Sequence[str] | None = None,
        env_vars: Mapping[str, Any] | Sequence[Any] | None = None,
        container_resources: Any = None,
        env_from: Sequence[Any] | None = None,
        secrets: Sequence[Any] | None = None,
        configmaps: Sequence[Any] | None = None,
        ports: Sequence[Any] | None = None,
        volumes: Sequence[Any] | None = None,
        volume_mounts: Sequence[Any] | None = None,
        working_dir: str | None = None,
        image_pull_policy: str | None = None,
        container_security_context: Any = None,
        node_selector: Mapping[str, str] | None = None,
        affinity: Any = None,
        tolerations: Sequence[Any] | None = None,
        security_context: Any = None,
        service_account_name: str | None = None,
        image_pull_secrets: Sequence[Any] | None = None,
        init_containers: Sequence[Any] | None = None,
        containers: Sequence[Any] | None = None,
        termination_grace_period_seconds: int | str | None = None,
        services: Sequence[Any] | None = None,
        ingress: Sequence[Any] | None = None,
        gang_id: str | None = None,
        gang_cardinality: int | str | None = None,
        gang_node_uniformity_label: str | None = None,
        namespace: str | None = None,
        priority: float | str | None = None,
        priority_class_name: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        pod_spec: Any = None,
        job_request: Any = None,
        container_name: str = "",
        job_set_id: str = "",
        armada_conn_id: str = ArmadaHook.default_conn_name,
        deferrable: bool | None = None,
        get_logs: bool = True,
        get_result: bool = False,
        preemption_retries: int = 0,
        resubmit_on: Sequence[str] = ("preempted",),
        cancel_on_kill: bool = True,
        wait_for_completion: bool = True,
        reattach: str = RUNNING_OR_SUCCEEDED,
        queued_timeout: float | timedelta | str | None = None,
        active_deadline_seconds: int | str | None = None,
        fail_fast: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.armada_queue = armada_queue
        self.image = image
        self.cmds = cmds
        self.arguments = arguments
        self.env_vars = env_vars
        self.container_resources = container_resources
        self.env_from = env_from
        self.secrets = secrets
        self.configmaps = configmaps
        self.ports = ports
        self.volumes = volumes
        self.volume_mounts = volume_mounts
        self.working_dir = working_dir
        self.image_pull_policy = image_pull_policy
        self.container_security_context = container_security_context
        self.node_selector = node_selector
        self.affinity = affinity
        self.tolerations = tolerations
        self.security_context = security_context
        self.service_account_name = service_account_name
        self.image_pull_secrets = image_pull_secrets
        self.init_containers = init_containers
        self.containers = containers
        self.termination_grace_period_seconds = termination_grace_period_seconds
        self.services = services
        self.ingress = ingress
        self.gang_id = gang_id
        self.gang_cardinality = gang_cardinality
        self.gang_node_uniformity_label = gang_node_uniformity_label
        self.namespace = namespace
        self.priority = priority
        self.priority_class_name = priority_class_name
        self.labels = labels
        self.annotations = annotations
        self.pod_spec = pod_spec
        self.job_request = job_request
        self.container_name = container_name
        self.job_set_id = job_set_id
        self.armada_conn_id = armada_conn_id
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.get_logs = get_logs
        self.get_result = get_result
        self.preemption_retries = preemption_retries
        self.resubmit_on = resubmit_on
        self.cancel_on_kill = cancel_on_kill
        self.wait_for_completion = wait_for_completion
        self.reattach = reattach
        self.queued_timeout = queued_timeout
        self.active_deadline_seconds = active_deadline_seconds
        self.fail_fast = fail_fast
        self.job_url = ""
        self._run: JobRun | None = None
        self._check_arguments()

    def _check_arguments(self) -> None:
        """Refuse what can never work, as early as a DAG file is parsed; what is not known yet is checked later."""
        check.check_choice("reattach", self.reattach, REATTACH_POLICIES)
        check.check_choice("resubmit_on", self.resubmit_on, check.RESUBMIT_ON)
        check.check_count("preemption_retries", self.preemption_retries)
        check.check_duration("queued_timeout", self.queued_timeout)
        if self.job_request is None:
            check.check_text("armada_queue", self.armada_queue)
        check.check_something_to_run({name: getattr(self, name) for name in ("image", "pod_spec", "job_request")})

    def execute(self, context: Context) -> Any:
        """
        Submit the job and wait for it.

        :param context: Airflow's context.
        :return: the facts about the job.
        """
        return self._begin(context).start()

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """
        Go on after the trigger has seen the end of the job.

        :param context: Airflow's context.
        :param event: the trigger's event.
        :return: the facts about the job.
        """
        return self._begin(context).resume(event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume; a deferral that Airflow itself ended calls no other method, and would leave the job to itself."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralError, TaskDeferralTimeout) as error:
            self._begin(context).abandon(timed_out=isinstance(error, TaskDeferralTimeout))
            raise

    def on_kill(self) -> None:
        """Cancel the job, unless ``cancel_on_kill`` is false; Airflow calls this while the task is on a worker."""
        if self._run is not None:
            self._run.kill()

    def build_request(self, identity: JobIdentity) -> JobRequest:
        """
        Build the request for the job; override it to change what is submitted.

        :param identity: identity of the job.
        :return: the request.
        :raises ArmadaRefused: when the arguments do not make a job.
        """
        from airflow_armada.operators.request import build_request

        return build_request(self, identity)

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """
        Render the arguments.

        Only ``pod_spec`` and ``job_request`` may name a file; with ``template_ext`` an argument such as
        ``--config=run.yaml`` would be taken for one, too.

        :param context: Airflow's context.
        :param jinja_env: environment to render in.
        """
        env = jinja_env or self.get_template_env()
        for name in _BASES:
            value = getattr(self, name, None)
            if isinstance(value, str) and value.endswith(_FILES) and "\n" not in value and env.loader is not None:
                setattr(self, name, env.loader.get_source(env, value)[0])
        super().render_template_fields(context, env)

    def _begin(self, context: Context) -> JobRun:
        self._run = JobRun(self, context)
        return self._run
