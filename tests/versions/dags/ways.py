"""What the provider does for a task, in both modes, with nothing that only the newest Airflow has."""

from datetime import timedelta

from airflow.sdk import DAG, task

from airflow_armada.operators.armada import ArmadaOperator

SMALL = {
    "armada_queue": "example",
    "image": "busybox:1.37",
    "container_resources": {"cpu": "50m", "memory": "16Mi"},
}

# What each job runs, and what its task is told beyond that.
JOBS = {
    "succeeds": ("echo one; echo two", {}),
    "fails": ("echo it broke >&2; exit 3", {}),
    "second_try": ("exit $((2 - AIRFLOW_CTX_TRY_NUMBER))", {"retries": 1, "retry_delay": timedelta(seconds=1)}),
    "rejected": ("echo never", {"container_resources": {"cpu": "1000", "memory": "16Mi"}, "retries": 2}),
    "out_of_time": ("sleep 600", {"execution_timeout": timedelta(seconds=15)}),
    "marked": ("sleep 600", {}),
}

with DAG("ways", schedule=None, max_active_tasks=32):
    for mode, deferrable in (("deferred", True), ("blocking", False)):
        for name, (script, further) in JOBS.items():
            ArmadaOperator(
                task_id=f"{name}_{mode}",
                cmds=["sh", "-c"],
                arguments=[script],
                deferrable=deferrable,
                **{**SMALL, **further},
            )

    @task.armada(**SMALL)
    def add(first: int, second: int) -> int:
        print("adding")
        return first + second

    @task.armada_cmd(**SMALL)
    def say(number: int, ds: str | None = None) -> list[str]:
        return ["echo", f"said {number}"]

    say.expand(number=[add(3, 4), 8])
