"""What the real control plane told of whole scenarios, for those who replay it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict

from airflow_armada.api import event_pb2, job_pb2

FOLDER = Path(__file__).parents[1] / "recorded"
_OURS = {"recv", "id", "kind"}


@dataclass(frozen=True)
class Recording:
    """One scenario.

    :param name: its name
    :param content: what was recorded, as it stands in the file
    """

    name: str
    content: dict[str, Any]

    @property
    def queue(self) -> str:
        return str(self.content["queue"])

    @property
    def job_set(self) -> str:
        return str(self.content["job_set"])

    @property
    def job_ids(self) -> list[str]:
        return list(self.content["ids"])

    @property
    def messages(self) -> list[Any]:
        """The events of the job set, as the server streamed them."""
        return [_message(event) for event in self.content["events"]]

    def events(self, job_id: str) -> list[tuple[str, Any]]:
        """The events of a job, as (kind, body)."""
        kinds = [(message.message.WhichOneof("events"), message.message) for message in self.messages]
        bodies = [(kind, getattr(message, kind)) for kind, message in kinds]
        return [(kind, body) for kind, body in bodies if body.job_id == job_id]

    def details(self, job_id: str) -> Any:
        """What the query service knew of a job afterwards."""
        return ParseDict(self.content["details"][1]["job_details"][job_id], job_pb2.JobDetails())

    def error(self, job_id: str) -> str:
        """What GetJobErrors said of a job afterwards."""
        return str(self.content["errors"][1]["job_errors"].get(job_id, ""))

    @property
    def report(self) -> str:
        """The scheduler's report on the first job afterwards, "" where nobody asked."""
        report = self.content.get("report")
        return str(report[1]["report"]) if report else ""


def _message(event: dict[str, Any]) -> Any:
    body = {name: value for name, value in event.items() if name not in _OURS}
    message = event_pb2.EventStreamMessage(id=event["id"])
    ParseDict({event["kind"]: body}, message.message)
    return message


def recordings() -> list[Recording]:
    """All scenarios, by name."""
    files = sorted((FOLDER / "sequences").glob("*.json"))
    return [Recording(path.stem, json.loads(path.read_text())) for path in files]
