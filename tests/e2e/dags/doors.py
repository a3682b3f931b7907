"""Jobs that run on while what lets them in expires, or changes."""

from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator

# Longer than three tokens of 2 s live.
COUNTING = "for n in $(seq 0 9); do echo $n; sleep 1; done"
WAITING = "echo before; until [ -e $1 ]; do sleep 0.2; done; echo after"

with DAG("doors", schedule=None, max_active_tasks=32):
    for mode, deferrable in (("deferred", True), ("blocking", False)):
        for connection, arguments in (
            ("expiring", [COUNTING]),
            ("changing", [WAITING, "sh", "{{ dag_run.conf['go'] }}"]),
        ):
            ArmadaOperator(
                task_id=f"{connection}_{mode}",
                armada_conn_id=connection,
                armada_queue="research",
                image="busybox:1.37",
                cmds=["sh", "-c"],
                arguments=arguments,
                container_resources={"cpu": "50m", "memory": "16Mi"},
                deferrable=deferrable,
            )
