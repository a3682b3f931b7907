"""Right and wrong uses of the operator, for type checkers; the wrong ones are marked."""

from __future__ import annotations

from datetime import timedelta

from airflow_armada.operators.armada import ArmadaOperator

first = ArmadaOperator(
    task_id="first",
    armada_queue="research",
    image="busybox:1.37",
    cmds=["sh", "-c"],
    arguments=["{{ ds }}"],
    env_vars={"A": 1},
    container_resources={"cpu": "1", "memory": "1Gi"},
    priority=0,
    retries=3,
    execution_timeout=timedelta(hours=1),
    queued_timeout="600",
    get_logs=["main"],
    skip_on_exit_code=range(90, 99),
)
ArmadaOperator(task_id="second", armada_queue="research", image="busybox:1.37", cmds=first.output)
ArmadaOperator(task_id="third", armada_queue="research", pod_spec=lambda context: {"containers": []})

ArmadaOperator(task_id="t", armada_queue="q", imgae="busybox:1.37")  # wrong
ArmadaOperator(task_id="t", armada_queue="q", image=3)  # wrong
ArmadaOperator(task_id="t", armada_queue="q", image="b", env_vars=5)  # wrong
ArmadaOperator(task_id="t", armada_queue="q", image="b", cmds="python run.py")  # wrong
ArmadaOperator(task_id="t", armada_queue="q", image="b", deferrable="no")  # wrong
ArmadaOperator(armada_queue="q", image="b")  # wrong
