"""The DAGs of the chaos suite, but for those of many tasks: every worker of Airflow reads the file of its task."""

from datetime import timedelta

from chaos_jobs import AGAIN, BIG, BLOCKING, OFTEN, PREEMPTIBLE, both, dag, job
from probes import ImpatientOperator

with dag("plain"):
    both("work", 8)

with dag("kept_trying"):
    both("work", 8, **AGAIN)

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
