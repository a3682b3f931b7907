"""Jobs at a site that wants credentials, of which nothing may be written anywhere."""

from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator

KINDS = ("basic", "token_command", "oidc_client_credentials")
SCRIPTS = {"works": "echo fine; sleep 3", "fails": "echo broken; sleep 3; exit 3"}

with DAG("secrets", schedule=None, max_active_tasks=32):
    for kind in KINDS:
        for end, script in SCRIPTS.items():
            for mode in ("deferred", "blocking"):
                ArmadaOperator(
                    task_id=f"{kind}_{end}_{mode}",
                    armada_conn_id=f"good_{kind}",
                    armada_queue="research",
                    image="busybox:1.37",
                    cmds=["sh", "-c"],
                    arguments=[script],
                    container_resources={"cpu": "50m", "memory": "16Mi"},
                    deferrable=mode == "deferred",
                )
    ArmadaOperator(
        task_id="refused",
        armada_conn_id="bad_oidc_client_credentials",
        armada_queue="research",
        image="busybox:1.37",
        cmds=["true"],
        container_resources={"cpu": "50m", "memory": "16Mi"},
    )
