"""DAGs for KubernetesPodOperator come here by the edits that the errors name, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ported_dags import POD, PORTED, PortedDag, edited, naive_port


def error_of(text: str) -> str:
    """Return what the author reads when the file is parsed, or nothing."""
    try:
        exec(compile(text, "dag.py", "exec"), {"__name__": "dag"})
    except (ValueError, TypeError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("dag", PORTED, ids=[dag.dag_id for dag in PORTED])
def test_the_errors_name_every_edit_that_is_needed(dag: PortedDag, tmp_path: Path) -> None:
    pod = tmp_path / "pod.yaml"
    pod.write_text(POD)

    text, left = edited(naive_port(dag.original.replace("POD_FILE", str(pod))), dag.edits, error_of)

    assert not left
    assert error_of(text) == ""
