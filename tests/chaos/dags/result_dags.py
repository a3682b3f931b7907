"""The DAGs of ``test_results.py``: tasks whose jobs print a result first, and then work on for some seconds.

``seconds`` in the conf of a run says how long, by task id. The result tells the try and the resubmission of its job.
"""

from airflow.sdk import DAG
from chaos_jobs import AGAIN, BLOCKING, JOB, PREEMPTIBLE, SECONDS, SMALL
from probes import FOLDER, ProbedOperator

SCRIPT = r"""
say() { echo "$1 $JOB $$$$ $(date +%s.%N)" >> "$LEDGER"; }
trap 'say stopped; exit 143' TERM
say started
[ "$WHEN" = first ] && echo "::armada-result::[$AIRFLOW_CTX_TRY_NUMBER, $AIRFLOW_CTX_RESUBMISSION]"
echo working
sleep "$SECONDS_TO_WORK" & wait $!
[ "$WHEN" = last ] && echo "::armada-result::[$AIRFLOW_CTX_TRY_NUMBER, $AIRFLOW_CTX_RESUBMISSION]"
echo done
say ended:0
"""
RESUBMITTED = {**PREEMPTIBLE, "preemption_retries": 1}


def job(task_id: str, seconds: float, when: str = "first", **arguments: object) -> None:
    """Make a task that returns what its job prints."""
    ProbedOperator(
        task_id=task_id,
        armada_queue="chaos",
        image="busybox:1.37",
        cmds=["sh", "-c"],
        arguments=[SCRIPT],
        env_vars={"JOB": JOB, "LEDGER": str(FOLDER / "ledger"), "SECONDS_TO_WORK": SECONDS, "WHEN": when},
        container_resources=SMALL,
        params={"seconds": seconds},
        get_result=True,
        **arguments,
    )


def dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, max_active_tasks=100, max_active_runs=20, tags=["chaos"])


with dag("results_killed"):
    for point in ("noted", "deferring", "resuming", "finishing"):
        job(f"{point}_deferred", 4, **AGAIN)
        job(f"{point}_silent", 4, get_logs=False, **AGAIN)
    job("noted_blocking", 4, **BLOCKING, **AGAIN)
    job("following_blocking", 20, **BLOCKING, **AGAIN)

with dag("results_replaced"):
    job("deferred", 30)
    job("silent", 30, get_logs=False)
    job("last", 30, when="last")

with dag("results_preempted"):
    job("deferred", 12, **RESUBMITTED)
    job("blocking", 12, **BLOCKING, **RESUBMITTED)

with dag("results_refused"):
    job("deferred", 15, when="last")
    job("silent", 15, when="last", get_logs=False)
    job("blocking", 15, when="last", **BLOCKING)

with dag("results_gone"):
    job("taken_over", 4, **AGAIN)
