"""What only Airflow 3.4 has: loops, also around mapped tasks, and tries that are given back."""

from datetime import timedelta

from airflow.sdk import DAG, task_group

from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.retry_policy import ArmadaRetryPolicy, Reschedule

SMALL = {
    "armada_queue": "example",
    "image": "busybox:1.37",
    "container_resources": {"cpu": "50m", "memory": "16Mi"},
    "cmds": ["sh", "-c"],
    "env_vars": {"LEDGER": "{{ var.value.ledger }}.{{ dag.dag_id }}"},
}
TWICE_MORE = ArmadaRetryPolicy(exit_codes={75: Reschedule(timedelta(seconds=1), max_reschedules=3)})


def newest(mode: str, deferrable: bool) -> None:
    with DAG(f"newest_{mode}", schedule=None, max_active_tasks=32):

        @task_group
        def single():
            script = 'echo "single {{ loop.index }}" >> "$LEDGER"; echo "::armada-result::{{ loop.index }}"'
            ArmadaOperator(task_id="one", arguments=[script], get_result=True, deferrable=deferrable, **SMALL)

        @task_group
        def several():
            script = 'echo "mapped {{ loop.index }} %s" >> "$LEDGER"'
            ArmadaOperator.partial(task_id="each", deferrable=deferrable, **SMALL).expand(
                arguments=[[script % "a"], [script % "b"]]
            )

        single.loop(max_iterations=3)
        several.loop(max_iterations=2)

        # Its first two jobs ask to be run again.
        ArmadaOperator(
            task_id="given_back",
            arguments=['echo given_back >> "$LEDGER"; [ $(grep -c given_back "$LEDGER") = 3 ] || exit 75'],
            deferrable=deferrable,
            retry_policy=TWICE_MORE,
            **SMALL,
        )


newest("deferred", True)
newest("blocking", False)
