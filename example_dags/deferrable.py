"""Both ways to wait for a job, and what the next task learns about it.

A deferrable task (the default) gives its worker back while the job runs. One with ``deferrable=False`` keeps it: that
needs no triggerer, but a worker for as long as the job takes.
"""

from typing import Any

from airflow.sdk import DAG, task

from airflow_armada.operators.armada import ArmadaOperator

COUNT = 'for number in 1 2 3; do echo "$MODE: $number"; sleep 1; done'

with DAG("armada_deferrable", schedule=None, tags=["armada"]):
    shared = {
        "armada_queue": "example",
        "image": "busybox:1.37",
        "cmds": ["sh", "-c"],
        "arguments": [COUNT],
        "container_resources": {"cpu": "200m", "memory": "64Mi"},
    }
    deferred = ArmadaOperator(task_id="deferred", env_vars={"MODE": "deferred"}, **shared)
    blocking = ArmadaOperator(task_id="blocking", env_vars={"MODE": "blocking"}, deferrable=False, **shared)

    @task
    def report(jobs: list[dict[str, Any]]) -> None:
        """Print what the jobs' tasks handed over."""
        for job in jobs:
            print(f"job {job['job_id']} ran on cluster {job['cluster']}, node {job['node']}")

    report([deferred.output, blocking.output])
