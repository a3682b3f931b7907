"""Every form in which an author may give a job is read into the same request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_armada.api import core_v1_pb2, resource_pb2, submit_pb2
from airflow_armada.jobs.job_forms import read_job, read_jobs
from airflow_armada.jobs.kubernetes.armadactl import as_text
from airflow_armada.jobs.kubernetes.convert import pod_spec_from_dict
from airflow_armada.jobs.kubernetes.yaml_text import dump
from airflow_armada.jobs.problems import InvalidJob

SPEC = {"containers": [{"name": "base", "image": "alpine", "env": [{"name": "A", "value": "1"}]}]}
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": "b"}, "namespace": "n"}, "spec": SPEC}
ITEM = {"namespace": "n", "labels": {"a": "b"}, "podSpec": SPEC}


CORPUS = sorted((Path(__file__).parents[2] / "corpus").glob("*.yaml"))


def message(data: Any) -> submit_pb2.JobSubmitRequestItem:
    item = submit_pb2.JobSubmitRequestItem(namespace=data.get("namespace", ""), labels=data.get("labels", {}))
    item.pod_spec.CopyFrom(pod_spec_from_dict(data["podSpec"]))
    return item


def pod_message() -> core_v1_pb2.PodTemplateSpec:
    pod = core_v1_pb2.PodTemplateSpec(spec=pod_spec_from_dict(SPEC))
    pod.metadata.labels["a"] = "b"
    pod.metadata.namespace = "n"
    return pod


FORMS = {
    "pod": POD,
    "pod without kind": {"metadata": POD["metadata"], "spec": SPEC},
    "pod template": {"kind": "PodTemplate", "template": {"metadata": POD["metadata"], "spec": SPEC}},
    "pod template without kind": {"template": {"metadata": POD["metadata"], "spec": SPEC}},
    "list of pods": {"kind": "List", "apiVersion": "v1", "items": [POD]},
    "item": ITEM,
    "item in snake case": {"namespace": "n", "labels": {"a": "b"}, "pod_spec": SPEC},
    "item with a message in it": {"namespace": "n", "labels": {"a": "b"}, "podSpec": pod_spec_from_dict(SPEC)},
    "submit file": {"queue": "q", "jobSetId": "s", "jobs": [ITEM]},
    "submit request": {"queue": "q", "job_set_id": "s", "job_request_items": [ITEM]},
    "item message": message(ITEM),
    "request message": submit_pb2.JobSubmitRequest(queue="q", job_set_id="s", job_request_items=[message(ITEM)]),
    "template message": pod_message(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form: str) -> None:
    assert read_job(FORMS[form], "job_request").items == [message(ITEM)]


@pytest.mark.parametrize(
    "form", [name for name, value in FORMS.items() if isinstance(value, dict) and "message" not in name]
)
def test_every_form_may_be_yaml_text(form: str) -> None:
    assert read_job(dump(FORMS[form]), "job_request").items == [message(ITEM)]


@pytest.mark.parametrize("value", [SPEC, pod_spec_from_dict(SPEC), dump(SPEC), "---\n---\n" + dump(SPEC)])
def test_a_pod_spec_alone(value: Any) -> None:
    assert read_job(value, "pod_spec").items == [message({"podSpec": SPEC})]


@pytest.mark.parametrize("form", ["submit file", "submit request", "request message"])
def test_queue_and_job_set_are_kept(form: str) -> None:
    file = read_job(FORMS[form], "job_request")
    assert (file.queue, file.job_set_id) == ("q", "s")


def test_a_file_may_hold_several_jobs() -> None:
    two = {"queue": "q", "jobs": [ITEM, {"podSpecs": [SPEC]}]}
    assert len(read_jobs(two, "file").items) == 2
    assert len(read_jobs(dump(POD) + "---\n" + dump(two), "file").items) == 3
    with pytest.raises(InvalidJob, match=r"file: holds 2 jobs where one is expected; give one job, and map the task"):
        read_job(two, "file")


def test_a_submit_file_is_read_as_armadactl_reads_it() -> None:
    text = next(path for path in CORPUS if path.stem == "armadactl-forgiven").read_text()
    file = read_job(text, "file")
    container = file.items[0].pod_spec.containers[0]
    assert (file.queue, file.job_set_id) == ("7", "nightly")
    assert list(container.args) == ["--matrix", "0", "true", "1e+06"]
    assert (container.image, container.env[0].value) == ("alpine", "true")
    assert file.items[0].annotations == {"build": "1.5"}
    assert file.notes == [
        "file.jobs[0].priorityClassName is left out, as armadactl does: priorityClassName belongs into the podSpec"
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [(1.5, "1.5"), (1e5, "100000"), (1e6, "1e+06"), (-1234567.5, "-1.2345675e+06"), (1e-5, "1e-05"), (0.0, "0")],
)
def test_numbers_become_text_as_go_writes_them(number: float, text: str) -> None:
    assert as_text(number) == text


def test_a_manifest_is_read_as_kubernetes_reads_it() -> None:
    with pytest.raises(InvalidJob, match="expected text, got a number"):
        read_job("kind: Pod\nspec: {containers: [{name: a, image: b, args: [0]}]}", "pod")


def test_the_name_of_a_pod_is_not_used_and_that_is_said() -> None:
    file = read_job(POD | {"metadata": {"name": "mine", "generateName": "m-"}}, "pod_spec")
    assert file.notes == [
        "metadata.name 'mine' is not used: Armada names its pods after the job id",
        "metadata.generateName 'm-' is not used: Armada names its pods after the job id",
    ]


def test_the_input_is_not_changed() -> None:
    original = message(ITEM)
    read_job(original, "job_request").items[0].namespace = "other"
    assert original == message(ITEM)


class Other:
    """Something with ``to_dict``, such as the models of other Kubernetes packages."""

    def to_dict(self) -> dict[str, Any]:
        return POD


def test_objects_that_give_a_dict() -> None:
    assert read_job(Other(), "pod_spec").items == [message(ITEM)]


def test_fields_that_only_the_sender_knows_stay_in_the_message() -> None:
    item = message(ITEM)
    newer = item.SerializeToString() + b"\xfa\x3e\x03new"  # field 1007, as a newer armada-client might send
    foreign = submit_pb2.JobSubmitRequestItem.FromString(newer)
    assert read_job(foreign, "job_request").items[0].SerializeToString(deterministic=True).endswith(b"\xfa\x3e\x03new")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("pod.yml", "job: plain text, not a YAML manifest; to name a file, let it end in .yaml or .yml"),
        ("", "job: holds no job; give a pod, a pod spec or an armadactl file with jobs"),
        ("# nothing\n", "job: holds no job"),
        ({"jobs": []}, "job: holds no job"),
        ("- a\n- b", "job: expected a job or a pod, got a list"),
        (7, "job: expected a job or a pod, got a number"),
        ([SPEC], "job: expected a job or a pod, got a list"),
        ({"jobs": {}}, "job.jobs: expected a list of jobs, got an object"),
        ({"jobs": [ITEM], "queu": "q"}, "job.queu: unknown field; known here: jobSetId, jobs, queue"),
        ({"jobs": [ITEM], "queue": 1}, "job.queue: expected text, got 1; put it in quotes"),
        (
            {"jobs": [{"podSpec": {"container": []}}]},
            "job.jobs[0].podSpec.container: unknown field; did you mean containers?",
        ),
        ({"jobs": [{"podspec": {}}]}, "job.jobs[0].podspec: unknown field; did you mean podSpec?"),
        (
            {"kind": "Deployment", "spec": {}},
            "job.kind: expected Pod or PodTemplate, got Deployment; give the pod template",
        ),
        (
            {"kind": "ConfigMap", "data": {}},
            "job.kind: expected Pod or PodTemplate, got ConfigMap; leave that document out",
        ),
        ("kind: Pod\nspec: {}\n---\nkind: Secret", "job (document 2).kind: expected Pod or PodTemplate, got Secret"),
        (POD | {"status": {"phase": "Running"}}, "job.status: the state of a pod that already ran is no part of a job"),
        (
            POD | {"metadata": {"finalizers": ["a"], "ownerReferences": [{"uid": "x"}]}},
            "job.metadata.finalizers: an Armada job cannot carry this metadata; remove it",
        ),
        (POD | {"metadata": {"label": {}}}, "job.metadata.label: unknown field; did you mean labels?"),
        (POD | {"sepc": {}}, "job.sepc: unknown field; did you mean spec?"),
        ({"kind": "PodTemplate", "template": {"spec": SPEC}, "spec": {}}, "job.spec: unknown field"),
        ({"template": 3}, "job.template: expected a pod, got a number"),
        (
            resource_pb2.Quantity(string="1"),
            "job: a message of type k8s.io.apimachinery.pkg.api.resource.Quantity is neither",
        ),
        ({"podSpec": submit_pb2.JobSetFilter(states=[1])}, "job.podSpec.states: unknown field"),
    ],
)
def test_what_is_no_job_is_refused(value: Any, message: str) -> None:
    with pytest.raises(InvalidJob) as raised:
        read_job(value, "job")
    assert message in str(raised.value)
