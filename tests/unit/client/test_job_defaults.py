"""What a job gets where nobody says so."""

from __future__ import annotations

import pytest

from airflow_armada.client.failure import SettingsError
from airflow_armada.client.job_defaults import NO_DEFAULTS, JobDefaults
from airflow_armada.client.settings import SiteSettings
from airflow_armada.jobs.build import build_request
from airflow_armada.jobs.job_spec import JobSpec

DEFAULTS = JobDefaults(
    "q", "team-a", "batch", (("cpu", "2"), ("memory", "4Gi"), ("nvidia.com/gpu", "1")), (("team", "a"), ("tier", "b"))
)


def test_a_connection_goes_before_the_deployment_name_by_name() -> None:
    own = JobDefaults(queue="mine", resources=(("cpu", "1"),), labels=(("tier", "c"),))

    assert own.over(DEFAULTS) == JobDefaults(
        "mine",
        "team-a",
        "batch",
        (("cpu", "1"), ("memory", "4Gi"), ("nvidia.com/gpu", "1")),
        (("team", "a"), ("tier", "c")),
    )


def test_a_job_that_says_nothing_gets_them_all() -> None:
    item = build_request(JobSpec(image="busybox", defaults=DEFAULTS)).item

    assert (item.namespace, item.pod_spec.priorityClassName) == ("team-a", "batch")
    assert dict(item.labels) == {"team": "a", "tier": "b"}
    resources = item.pod_spec.containers[0].resources
    wanted = {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"}
    assert {name: one.string for name, one in resources.requests.items()} == wanted
    assert {name: one.string for name, one in resources.limits.items()} == wanted


def test_what_a_job_says_stays() -> None:
    spec = JobSpec(
        pod_spec={
            "priorityClassName": "urgent",
            "containers": [{"name": "a", "image": "b", "resources": {"limits": {"cpu": "500m"}}}],
        },
        namespace="mine",
        labels={"team": "b"},
        container_resources={"requests": {"memory": "1Gi"}},
        defaults=DEFAULTS,
    )

    item = build_request(spec).item

    assert (item.namespace, item.pod_spec.priorityClassName) == ("mine", "urgent")
    assert dict(item.labels) == {"team": "b", "tier": "b"}
    requests = item.pod_spec.containers[0].resources.requests
    assert {name: one.string for name, one in requests.items()} == {
        "cpu": "500m",
        "memory": "1Gi",
        "nvidia.com/gpu": "1",
    }


def test_without_defaults_nothing_is_set() -> None:
    item = build_request(JobSpec(image="busybox", defaults=NO_DEFAULTS)).item

    assert not item.pod_spec.HasField("priorityClassName")
    assert item.namespace == "default"


def test_a_wrong_quantity_is_told_where_it_stands() -> None:
    with pytest.raises(SettingsError, match=r"default_resources: memory must be a quantity such as .* not '4GB'"):
        JobDefaults(resources=(("memory", "4GB"),))


def test_defaults_make_no_other_site() -> None:
    one, other = SiteSettings("a:1", defaults=DEFAULTS), SiteSettings("a:1")

    assert one == other
    assert hash(one) == hash(other)
