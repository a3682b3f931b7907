"""Every way in which a job can end, once in a deferred and once in a blocking task."""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.retry_policy import ArmadaRetryPolicy

SMALL = {"cpu": "50m", "memory": "16Mi"}
HUGE = {"cpu": "1000", "memory": "16Mi"}
POLICY = ArmadaRetryPolicy(exit_codes={2: False, 75: timedelta(seconds=1)})


def tell(context: dict[str, Any]) -> None:
    """Say in the task log what a failure callback gets."""
    error = context["exception"]
    print(f"callback: {type(error).__name__}, exit codes {error.outcome.exit_codes}, queue {error.facts['queue']}")


EVERY_BYTE = "for n in $(seq 0 255); do printf \"\\\\$(printf %03o $n)\"; done; echo; printf 'x\\000y\\n'; exit 3"

# What each job runs, what it asks for, and what its task is told beyond that.
ENDS = {
    "exit_zero": ("echo fine", SMALL, {}),
    "exit_three": ("echo so far so good; echo it broke >&2; exit 3", SMALL, {"on_failure_callback": tell}),
    "hostile": (EVERY_BYTE, SMALL, {}),
    "rejected": ("echo never", HUGE, {"retries": 2, "retry_delay": timedelta(seconds=1)}),
    "cancelled": ("echo waiting; sleep 600", SMALL, {"retries": 2, "retry_delay": timedelta(seconds=1)}),
    "hopeless": ("exit 2", SMALL, {"retries": 2, "retry_policy": POLICY}),
    "worth_a_retry": ("exit 75", SMALL, {"retries": 1, "retry_policy": POLICY}),
    "marked": ("echo waiting; sleep 600", SMALL, {}),
    "lines": ("for n in $(seq 1 300); do echo line $n; done; sleep 8; echo the last line", SMALL, {}),
}

with DAG("ends", schedule=None, max_active_tasks=32):
    for end, (script, resources, further) in ENDS.items():
        for mode, deferrable in (("deferred", True), ("blocking", False)):
            ArmadaOperator(
                task_id=f"{end}_{mode}",
                armada_queue="example",
                image="busybox:1.37",
                cmds=["sh", "-c"],
                arguments=[script],
                container_resources=resources,
                deferrable=deferrable,
                **further,
            )

    # The members tell by their gang's id whether they have been submitted again.
    ArmadaOperator.partial(
        task_id="gang",
        armada_queue="example",
        image="busybox:1.37",
        cmds=["sh", "-c"],
        container_resources=SMALL,
        priority_class_name="armada-preemptible",
        gang_id="{{ run_id }}-gang",
        gang_cardinality=2,
        preemption_retries=1,
    ).expand(arguments=[[f"case $ARMADA_GANG_ID in *-gang-1) echo {n};; *) sleep 600;; esac"] for n in ("a", "b")])
