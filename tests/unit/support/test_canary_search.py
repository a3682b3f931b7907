"""The search for secrets finds them wherever they are: else that it finds nothing would prove nothing."""

from __future__ import annotations

import base64
import json
import sqlite3
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.canaries import process_list, traces, traces_in

SECRET = "CANARY+secret/with~signs?0123456789"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_a_secret_is_found_in_each_of_its_forms(before: str) -> None:
    text = f"{before}{SECRET} and more"

    for content in (
        text.encode(),
        base64.b64encode(text.encode()),
        base64.urlsafe_b64encode(text.encode()),
        text.encode().hex().encode(),
        quote(text).encode(),
        quote(text, safe="").encode(),
        json.dumps({"key": text}).encode(),
    ):
        assert traces(content, ["CANARY-other-0123456789", SECRET]) == [SECRET], content


def test_a_secret_is_found_in_files_and_databases(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "task.log").write_text(f"some\n{SECRET}\n")
    with sqlite3.connect(tmp_path / "airflow.db") as database:
        database.execute("create table trigger (kwargs)")
        database.execute("insert into trigger values (?)", [SECRET])
    database.close()

    assert traces_in(tmp_path, [SECRET]) == [f"airflow.db: {SECRET}", f"logs/task.log: {SECRET}"]
    assert traces_in(tmp_path, ["CANARY-elsewhere-0123456789"]) == []


def test_the_arguments_of_processes_are_seen() -> None:
    import subprocess

    with process_list() as seen, subprocess.Popen(["sleep", "30.0123456789"]) as process:
        while not traces(b"".join(seen.arguments), ["30.0123456789"]):
            assert process.poll() is None
        process.kill()
