"""What the chaos suite's DAGs are made of: tasks whose jobs write down when they really start, end or are stopped.

How long a job lasts, and how it exits, comes with the conf of a run: ``seconds`` and ``exit_codes``, by task id; an
exit code is for the first try alone unless it is a list, one for each try. ``armada_conn_id`` says where they run.
"""

from datetime import timedelta

from airflow.sdk import DAG
from probes import FOLDER, ProbedOperator

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
