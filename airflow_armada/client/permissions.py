"""Who may do what with a queue."""

from __future__ import annotations

from typing import NamedTuple

from airflow_armada.api import submit_pb2


class Subject(NamedTuple):
    """A user or a group.

    :param kind: ``User`` or ``Group``
    :param name: its name
    """

    kind: str
    name: str

    def to_grpc(self) -> submit_pb2.Queue.Permissions.Subject:
        """Return the subject as a protobuf message."""
        return submit_pb2.Queue.Permissions.Subject(kind=self.kind, name=self.name)


class Permissions:
    """Allows subjects to do something with a queue.

    :param subjects: the users and groups
    :param verbs: what they may do: ``submit``, ``cancel``, ``preempt``, ``reprioritize``, ``watch``
    """

    def __init__(self, subjects: list[Subject], verbs: list[str]) -> None:
        self.subjects = subjects
        self.verbs = verbs

    def to_grpc(self) -> submit_pb2.Queue.Permissions:
        """Return the permissions as a protobuf message."""
        return submit_pb2.Queue.Permissions(subjects=[subject.to_grpc() for subject in self.subjects], verbs=self.verbs)
