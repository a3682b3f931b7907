"""What Airflow itself costs: tasks that only wait in a trigger, and tasks that do nothing."""

import os
from datetime import timedelta

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, BaseOperator

TASKS = int(os.environ.get("BENCH_TASKS", "2"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "20"))


class Wait(BaseOperator):
    """Wait in the triggerer."""

    def execute(self, context):
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=SECONDS)), method_name="done")

    def done(self, context, event=None):
        return None


class Nothing(BaseOperator):
    """Do nothing."""

    def execute(self, context):
        return None


with DAG("bench_deferral", schedule=None, max_active_tasks=1000):
    for number in range(TASKS):
        Wait(task_id=f"t{number}")

with DAG("bench_noop", schedule=None, max_active_tasks=1000):
    for number in range(TASKS):
        Nothing(task_id=f"t{number}")
