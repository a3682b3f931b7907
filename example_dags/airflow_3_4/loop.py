"""Jobs in a loop, one after the other until a result is good enough (Airflow 3.4+)."""

from airflow.sdk import DAG, LoopDecision, task_group

from airflow_armada.operators.armada import ArmadaOperator

# Newton's way to the square root of two, a step for each pass.
STEP = """
x={{ 1.0 if loop.index == 0 else loop.previous.estimate }}
echo "pass {{ loop.index }} begins with $x"
awk -v x="$x" 'BEGIN { printf "::armada-result::{\\"estimate\\": %.9f}\\n", (x + 2 / x) / 2 }'
"""


def good_enough(*, loop):
    """Decide after each pass; Airflow shows the reason."""
    error = abs(loop.result["estimate"] ** 2 - 2)
    return LoopDecision(stop=error < 1e-6, reason=f"the square is {error:.1e} away from two")


with DAG("armada_loop", schedule=None, tags=["armada"]):

    @task_group
    def refine():
        """Every pass is an Armada job of its own."""
        ArmadaOperator(
            task_id="improve",
            armada_queue="example",
            image="busybox:1.37",
            cmds=["sh", "-c"],
            arguments=[STEP],
            container_resources={"cpu": "200m", "memory": "64Mi"},
            get_result=True,
        )

    refine.loop(max_iterations=10, until=good_enough)
