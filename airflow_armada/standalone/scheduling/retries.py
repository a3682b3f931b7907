"""Armada's retry policies: whether a job whose run has failed gets another run.

Source: ``internal/scheduler/retry`` and ``evaluateRetryPolicy`` in ``internal/scheduler/scheduler.go`` of Armada.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from airflow_armada.api.annotations import FAIL_FAST
from airflow_armada.api.core_v1_pb2 import PodSpec
from airflow_armada.api.quantity import parse_quantity
from airflow_armada.api.submit_pb2 import RETRY_ACTION_RETRY, RetryMutation, RetryPolicy, RetryResourceBump, RetryRule
from airflow_armada.standalone.resource_amounts import amount_of, canonical
from airflow_armada.standalone.store.event_messages import Failure
from airflow_armada.standalone.store.model import Job

NO_UNTRIED_NODE = "retry granted, but no untried node fits the job"
GROWN_TOO_LARGE = "retry granted, but the job grown by the rule's memory bump fits no node"


@dataclass(frozen=True)
class Verdict:
    """What a policy says of a failed run.

    :param mutation: what the rule that decided changes for the next run
    """

    retry: bool
    reason: str
    mutation: RetryMutation = field(default_factory=RetryMutation)


def opted_out(job: Job) -> bool:
    """Return whether retry policies leave a job alone: members of gangs, and jobs that are to fail fast."""
    return job.gang is not None or job.spec.annotations.get(FAIL_FAST) == "true"


def evaluate(policy: RetryPolicy, failure: Failure, failures: int, most: int) -> Verdict:
    """Return what a policy says of a failed run.

    :param failures: how many runs of the job have failed, with this one
    :param most: retries that any job may have, whatever its policy grants; 0 for none at all
    """
    used = failures - 1
    if most == 0:
        return Verdict(retry=False, reason="global max retries is 0, retries disabled")
    if used >= most:
        return Verdict(retry=False, reason=f"global max retries exceeded ({used}/{most})")
    rule = next((rule for rule in policy.rules if _matches(rule, failure)), None)
    action = rule.action if rule else policy.default_action
    if action != RETRY_ACTION_RETRY:
        return Verdict(retry=False, reason="matched rule: Fail" if rule else _DEFAULT)
    if used >= policy.retry_limit:
        return Verdict(retry=False, reason=f"policy retry limit exceeded ({used}/{policy.retry_limit})")
    return Verdict(True, "matched rule: Retry", rule.mutate) if rule else Verdict(True, _DEFAULT)


_DEFAULT = "no rule matched, using default action"


def _matches(rule: RetryRule, failure: Failure) -> bool:
    return rule.on_category == failure.category and rule.on_subcategory in ("", failure.subcategory)


def declined(failure: Failure, reason: str) -> Failure:
    """Return a failure as the end of a job that its policy grants no other run.

    Exit codes and causes are in the text only.
    """
    detail = [failure.reason] if failure.from_pod and failure.reason else []
    detail += [f"{one.name} exited with code {one.exitCode}: {one.message}" for one in failure.containers]
    parts = [f"Retry policy: {reason}"] + (["Final run error:\n" + "\n".join(detail)] if detail else [])
    return Failure("\n\n".join(parts), category=failure.category, subcategory=failure.subcategory)


def grown(spec: PodSpec, bump: RetryResourceBump) -> PodSpec:
    """Return a pod spec with more memory in each of its containers, as a rule says."""
    result = PodSpec()
    result.CopyFrom(spec)
    for container in (*result.containers, *result.initContainers):
        for amounts in (container.resources.requests, container.resources.limits):
            if "memory" in amounts:
                amounts["memory"].string = canonical(_more(amount_of(amounts["memory"]), bump))
    return result


def _more(amount: Fraction, bump: RetryResourceBump) -> Fraction:
    if bump.static:
        return amount + parse_quantity(bump.static)
    return Fraction(math.ceil(amount * Fraction(str(bump.factor))))
