"""Does with ``armada-client`` what its published examples do, and prints what it saw as JSON.

Runs in the environment of that package, against the server that its only argument names.
"""

import asyncio
import json
import sys

import grpc
from armada_client.armada import submit_pb2
from armada_client.asyncio_client import ArmadaAsyncIOClient
from armada_client.client import ArmadaClient
from armada_client.k8s.io.api.core.v1 import generated_pb2 as core_v1
from armada_client.k8s.io.apimachinery.pkg.api.resource import generated_pb2 as api_resource
from armada_client.log_client import JobLogClient
from armada_client.permissions import Permissions, Subject
from armada_client.typings import EventType, JobState

TARGET = sys.argv[1]
QUEUE = "peer"
ENDS = (EventType.succeeded, EventType.failed, EventType.cancelled)


def pod(*args, priority_class=""):
    amounts = {"cpu": api_resource.Quantity(string="120m"), "memory": api_resource.Quantity(string="510Mi")}
    container = core_v1.Container(
        name="container1",
        image="index.docker.io/library/ubuntu:latest",
        args=args,
        securityContext=core_v1.SecurityContext(runAsUser=1000),
        resources=core_v1.ResourceRequirements(requests=amounts, limits=amounts),
    )
    return core_v1.PodSpec(containers=[container], priorityClassName=priority_class)


def submit(client, job_set_id, *args, **options):
    item = client.create_job_request_item(
        priority=1,
        namespace="default",
        pod_spec=pod(*args, **options),
        annotations={"armadaproject.io/externalJobUri": f"peer://{job_set_id}"},
    )
    response = client.submit_jobs(queue=QUEUE, job_set_id=job_set_id, job_request_items=[item])
    return response.job_response_items[0].job_id


def watch(client, job_set_id, *last):
    """Return the events up to the first of some types."""
    events = []
    stream = client.get_job_events_stream(queue=QUEUE, job_set_id=job_set_id)
    for response in stream:
        event = client.unmarshal_event_response(response)
        events.append(event.type.name)
        if event.type in (last or ENDS):
            client.unwatch_events(stream)
            return events
    return events


def queues(client):
    permissions = Permissions(subjects=[Subject(kind="Group", name="group1")], verbs=["cancel", "reprioritize"])
    request = client.create_queue_request(
        name=QUEUE,
        priority_factor=3.0,
        user_owners=["user1"],
        group_owners=["group1"],
        resource_limits={"cpu": 1.0, "memory": 1.0},
        permissions=[permissions],
    )
    client.create_queue(request)
    other = client.create_queue_request(name="other", priority_factor=1.0)
    failed = client.create_queues([other, client.create_queue_request(name="bad", priority_factor=0.1)])
    client.update_queue(client.create_queue_request(name=QUEUE, priority_factor=2.0))
    facts = {
        "failed": [item.queue.name for item in failed.failed_queues],
        "factor": client.get_queue(QUEUE).priority_factor,
        "listed": [queue.name for queue in client.get_queues()],
    }
    client.delete_queue("other")
    try:
        client.get_queue("other")
    except grpc.RpcError as error:
        facts["deleted"] = error.code().name
    return facts


def success(client):
    job_id = submit(client, "success", "echo", "hello from a peer")
    events = watch(client, "success")
    details = client.get_job_details([job_id]).job_details[job_id]
    runs = client.get_job_run_details([details.latest_run_id]).job_run_details
    by_uri = client.get_job_status_by_external_job_uri(QUEUE, "success", "peer://success").job_states
    return {
        "events": events,
        "status": submit_pb2.JobState.Name(client.get_job_status([job_id]).job_states[job_id]),
        "by_uri": list(by_uri) == [job_id],
        "run_of_job": runs[details.latest_run_id].job_id == job_id,
        "logs": [line.line for line in JobLogClient(TARGET, job_id, disable_ssl=True).logs()],
        "error": client.get_job_errors([job_id]).job_errors[job_id],
    }


def failure(client):
    job_id = submit(client, "failure", "sh", "-c", "exit 7")
    return {"events": watch(client, "failure"), "error": client.get_job_errors([job_id]).job_errors[job_id]}


def cancelling(client):
    by_id = submit(client, "by-id", "sleep", "1000s")
    watch(client, "by-id", EventType.running)
    client.reprioritize_jobs(new_priority=2, job_ids=None, queue=QUEUE, job_set_id="by-id")
    watch(client, "by-id", EventType.reprioritized)
    client.cancel_jobs(queue=QUEUE, job_id=by_id, job_set_id="by-id")
    submit(client, "by-set", "sleep", "1000s")
    watch(client, "by-set", EventType.running)
    client.cancel_jobset(queue=QUEUE, job_set_id="by-set", filter_states=[JobState.PENDING, JobState.RUNNING])
    return {"by_id": watch(client, "by-id"), "by_set": watch(client, "by-set")}


def preempting(client):
    job_id = submit(client, "preempted", "sleep", "1000s", priority_class="armada-preemptible")
    watch(client, "preempted", EventType.running)
    client.preempt_jobs(queue=QUEUE, job_set_id="preempted", job_id=job_id)
    return {"events": watch(client, "preempted")}


async def with_asyncio():
    async with grpc.aio.insecure_channel(TARGET) as channel:
        client = ArmadaAsyncIOClient(channel)
        item = client.create_job_request_item(priority=1, namespace="default", pod_spec=pod("true"))
        response = await client.submit_jobs(queue=QUEUE, job_set_id="asyncio", job_request_items=[item])
        events = []
        stream = await client.get_job_events_stream(queue=QUEUE, job_set_id="asyncio")
        async for message in stream:
            events.append(client.unmarshal_event_response(message).type.name)
            if events[-1] == "succeeded":
                break
        job_id = response.job_response_items[0].job_id
        status = (await client.get_job_status([job_id])).job_states[job_id]
        return {"events": events, "status": submit_pb2.JobState.Name(status)}


def main():
    client = ArmadaClient(grpc.insecure_channel(TARGET))
    facts = {"health": [client.submit_health(), client.event_health()]}
    for part in (queues, success, failure, cancelling, preempting):
        facts[part.__name__] = part(client)
    facts["asyncio"] = asyncio.run(with_asyncio())
    print(json.dumps(facts, default=str))


main()
