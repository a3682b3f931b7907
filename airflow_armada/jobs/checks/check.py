"""Check a job before it costs anything: all that the server would refuse, and what Kubernetes would refuse later.

The server stops at the first rule that fails; here every problem is reported at once. Its rules:
``internal/server/submit/validation/submit_request.go`` of Armada v0.22.7.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_armada.api import submit_pb2
from airflow_armada.jobs.checks.consistency import consistency_problems
from airflow_armada.jobs.checks.container_resources import resource_problems
from airflow_armada.jobs.checks.fields import field_problems
from airflow_armada.jobs.checks.gangs import gang_problems
from airflow_armada.jobs.checks.job import job_problems
from airflow_armada.jobs.checks.names import name_problems
from airflow_armada.jobs.checks.pod import pod_problems
from airflow_armada.jobs.checks.server_rules import DEFAULT_RULES, SHIPPED_PRIORITY_CLASSES, ServerRules
from airflow_armada.jobs.problems import InvalidJob, Problem, raise_if_any

__all__ = ["DEFAULT_RULES", "InvalidJob", "Problem", "ServerRules", "check", "problems", "request_problems"]

_MAX_JOB_SET_ID = 1024


def problems(
    item: submit_pb2.JobSubmitRequestItem,
    queue: str | None = None,
    job_set_id: str | None = None,
    rules: ServerRules = DEFAULT_RULES,
) -> list[Problem]:
    """Everything that is wrong with one job.

    :param item: the job
    :param queue: its queue; None when it is not known yet
    :param job_set_id: its job set; None when it is not known yet
    :param rules: what the site accepts
    :return: the problems, none for a good job
    """
    found = _target_problems(queue, job_set_id)
    return found + _item_problems(item, "", rules) + gang_problems([item], [""])


def request_problems(
    items: Sequence[submit_pb2.JobSubmitRequestItem],
    queue: str | None = None,
    job_set_id: str | None = None,
    rules: ServerRules = DEFAULT_RULES,
) -> list[Problem]:
    """Everything that is wrong with the jobs of one request, such as a whole gang.

    :param items: the jobs
    :param queue: their queue; None when it is not known yet
    :param job_set_id: their job set; None when it is not known yet
    :param rules: what the site accepts
    :return: the problems, none for a good request; paths begin with ``jobs[n].``
    """
    prefixes = [f"jobs[{index}]." for index in range(len(items))]
    found = _target_problems(queue, job_set_id) + gang_problems(items, prefixes)
    for item, prefix in zip(items, prefixes, strict=True):
        found += _item_problems(item, prefix, rules)
    return found


def container_problems(item: submit_pb2.JobSubmitRequestItem, names: Sequence[str], argument: str) -> list[Problem]:
    """What is wrong with a choice of containers.

    :param item: the job
    :param names: the names chosen
    :param argument: chooses them
    :return: the problems
    """
    pod = item.pod_spec if item.HasField("pod_spec") else next(iter(item.pod_specs), item.pod_spec)
    known = [container.name for container in (*pod.containers, *pod.initContainers)]
    rule, hint = "the job has no container of this name", f"it has {', '.join(known)}"
    return [Problem(argument, repr(name), rule, hint) for name in names if name not in known]


def warnings(item: submit_pb2.JobSubmitRequestItem, rules: ServerRules = DEFAULT_RULES) -> list[str]:
    """What may be wrong with a job, as far as the rules of its site are known.

    :param item: the job
    :param rules: what the site accepts
    :return: one sentence each
    """
    pod = item.pod_spec if item.HasField("pod_spec") else next(iter(item.pod_specs), item.pod_spec)
    name = pod.priorityClassName
    if not name or rules.priority_classes is not None or name in SHIPPED_PRIORITY_CLASSES:
        return []
    return [
        f"priority class {name!r} is not one that Armada ships ({', '.join(sorted(SHIPPED_PRIORITY_CLASSES))}); "
        "a site that does not have it refuses the job. Airflow's option [armada] server_rules may name the site's own."
    ]


def check(
    item: submit_pb2.JobSubmitRequestItem,
    queue: str | None = None,
    job_set_id: str | None = None,
    rules: ServerRules = DEFAULT_RULES,
) -> None:
    """Refuse a job that cannot run.

    :param item: the job
    :param queue: its queue; None when it is not known yet
    :param job_set_id: its job set; None when it is not known yet
    :param rules: what the site accepts
    :raises InvalidJob: with every problem
    """
    raise_if_any(problems(item, queue, job_set_id, rules))


def _target_problems(queue: str | None, job_set_id: str | None) -> list[Problem]:
    found = []
    if queue == "":
        found.append(Problem("queue", "", "is required", "name an Armada queue, as armada_queue"))
    if job_set_id == "":
        found.append(Problem("jobSetId", "", "is required", "leave job_set_id out to use the DAG run's"))
    # Armada counts bytes of UTF-8.
    if job_set_id and len(job_set_id.encode()) >= _MAX_JOB_SET_ID:
        size = f"{len(job_set_id.encode())} bytes"
        found.append(Problem("jobSetId", size, f"must be shorter than {_MAX_JOB_SET_ID} bytes", "shorten it"))
    return found


def _item_problems(item: submit_pb2.JobSubmitRequestItem, prefix: str, rules: ServerRules) -> list[Problem]:
    found = job_problems(item, prefix)
    if item.HasField("pod_spec"):
        pod, path = item.pod_spec, f"{prefix}podSpec"
    elif len(item.pod_specs):
        pod, path = item.pod_specs[0], f"{prefix}podSpecs[0]"
    else:
        return found
    found += pod_problems(pod, path, rules)
    found += field_problems(pod, path)
    found += resource_problems(pod, path, rules)
    found += consistency_problems(pod, path)
    return found + name_problems(item, pod, prefix, path)
