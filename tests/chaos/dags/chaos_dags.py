"""The DAGs of the chaos suite: tasks whose jobs write a line to a file when they really start, end or are stopped.

How long a job lasts, and how it exits, comes with the conf of a run: ``seconds`` and ``exit_codes``, by task id; an
exit code is for the first try alone unless it is a list, one for each try. ``armada_conn_id`` says where they run.
"""

from datetime import timedelta

from airflow.sdk import DAG
from probes import FOLDER, ImpatientOperator, ProbedOperator

SMALL = {"cpu": "50m", "memory": "16Mi"}
BIG = {"cpu": "40", "memory": "16Mi"}
# Kubernetes makes one dollar out of two.
SCRIPT = r"""
say() { echo "$1 $JOB $$$$ $(date +%s.%N)" >> "$LEDGER"; }
trap 'say stopped; exit 143' TERM
say started
echo "working for $SECONDS_TO_WORK s"
sleep "$SECONDS_TO_WORK" & wait $!
echo "done"
say "ended:$EXIT_CODE"
exit "$EXIT_CODE"
"""
SECONDS = "{{ (dag_run.conf.get('seconds') or {}).get(ti.task_id, params.seconds) }}"
EXIT_CODE = "{{ ((dag_run.conf.get('exit_codes') or {}).get(ti.task_id, []) + [0] * 99)[ti.try_number - 1] }}"
PLACE = "{{ dag_run.conf.get('armada_conn_id', 'armada_default') }}"
JOB = "{{ [dag.dag_id, run_id, ti.task_id, ti.map_index, ti.try_number] | join('|') }}"
AGAIN = {"retries": 3, "retry_delay": timedelta(seconds=1)}
OFTEN = {"retries": 6, "retry_delay": timedelta(seconds=1)}
PREEMPTIBLE = {"priority_class_name": "armada-preemptible"}
BLOCKING = {"deferrable": False}


def job(
    task_id: str, seconds: float, operator: type[ProbedOperator] = ProbedOperator, **arguments: object
) -> ProbedOperator:
    """Make a task whose job works for some seconds."""
    fields = {"container_resources": SMALL, "armada_queue": "chaos", "armada_conn_id": PLACE, **arguments}
    return operator(
        task_id=task_id,
        image="busybox:1.37",
        cmds=["sh", "-c"],
        arguments=[SCRIPT],
        env_vars={"JOB": JOB, "LEDGER": str(FOLDER / "ledger"), "SECONDS_TO_WORK": SECONDS, "EXIT_CODE": EXIT_CODE},
        params={"seconds": seconds},
        **fields,
    )


def both(task_id: str, seconds: float, **arguments: object) -> None:
    """Make one task that defers and one that waits on its worker."""
    job(f"{task_id}_deferred", seconds, **arguments)
    job(f"{task_id}_blocking", seconds, **BLOCKING, **arguments)


def dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, max_active_tasks=100, max_active_runs=20, tags=["chaos"])


with dag("plain"):
    both("work", 8)

with dag("worker_killed"):
    for point in ("intended", "submitted", "noted"):
        both(point, 5, **AGAIN)
    for point in ("deferring", "resuming", "finishing"):
        job(point, 5, **AGAIN)
    job("following", 15, **BLOCKING, **AGAIN)
    job("supervisor", 5, **AGAIN)

with dag("retried"):
    job("adopts_running", 25, **AGAIN)
    job("adopts_succeeded", 4, **AGAIN)
    both("replaces_failed", 3, **AGAIN)
    job("never_adopts", 25, reattach="never", **AGAIN)
    job("adopts_only_running", 4, reattach="running", **AGAIN)

with dag("killed_by_user"):
    both("marked_failed", 600)
    both("marked_success", 600)
    both("cleared", 600)
    both("left_alone", 600, cancel_on_kill=False)
    both("timed_out", 600, execution_timeout=timedelta(seconds=25))
    job("terminated", 600, **BLOCKING)
    job("framework_timeout", 600, operator=ImpatientOperator)

with dag("run_failed"):
    both("work", 600)

with dag("cleared_late"):
    job("work", 600)

with dag("long"):
    for number in range(3):
        job(f"work_{number}", 60)

with dag("holder"):
    job("holder", 60, container_resources=BIG)

with dag("queued"):
    both("waiting", 5, container_resources=BIG, queued_timeout=8)

with dag("disturbed"):
    both("preempted", 15, **PREEMPTIBLE, preemption_retries=2)
    job("preempted_too_often", 30, **PREEMPTIBLE, preemption_retries=1)
    job("preempted_without_budget", 30, **PREEMPTIBLE)
    job("evicted", 15, preemption_retries=1, resubmit_on=["evicted"])
    job("lease_expired", 15, preemption_retries=1, resubmit_on=["lease_expired"])

with dag("short"):
    for last in (0, 1, 2, 4, 5, 6):
        for number in range(4):
            job(f"short_{last}_{number}", last)

with dag("many_short"):
    for last in (0, 1, 2, 4, 5, 6):
        for number in range(100):
            job(f"short_{last}_{number}", last)

with dag("mixed"):
    for number in range(6):
        job(f"deferred_{number}", 20, **OFTEN, **PREEMPTIBLE)
    for number in range(2):
        job(f"blocking_{number}", 20, **BLOCKING, **OFTEN, **PREEMPTIBLE)
    job(
        "budget",
        20,
        preemption_retries=50,
        resubmit_on=["preempted", "evicted", "lease_expired"],
        **OFTEN,
        **PREEMPTIBLE,
    )
