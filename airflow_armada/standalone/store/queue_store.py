"""The queues: what is stored of them and who may do what with them."""

from __future__ import annotations

import math

from airflow_armada.api import submit_pb2
from airflow_armada.api.submit_pb2 import Queue
from airflow_armada.standalone.auth import Principal

VERBS = ("submit", "cancel", "preempt", "reprioritize", "watch")


class InvalidQueue(ValueError):
    """A queue cannot be stored as it is described."""


class QueueStore:
    """Queues and retry policies by name."""

    def __init__(self) -> None:
        self._queues: dict[str, Queue] = {}
        self.retry_policies: dict[str, submit_pb2.RetryPolicy] = {}

    def put(self, queue: Queue) -> None:
        """Store a queue in the place of one of the same name.

        :raises InvalidQueue: it breaks a rule
        """
        self._check(queue)
        stored = Queue()
        stored.CopyFrom(queue)
        for field in ("user_owners", "group_owners", "resource_limits", "labels_deprecated"):
            stored.ClearField(field)
        owners = [("User", name) for name in queue.user_owners] + [("Group", name) for name in queue.group_owners]
        if owners:
            subjects = [Queue.Permissions.Subject(kind=kind, name=name) for kind, name in owners]
            stored.permissions.append(Queue.Permissions(subjects=subjects, verbs=VERBS))
        self._queues[stored.name] = stored

    def _check(self, queue: Queue) -> None:
        if not queue.priority_factor >= 1.0 or math.isinf(queue.priority_factor):
            raise InvalidQueue(f"priority factor must be at least 1.0, not {queue.priority_factor:g}")
        for permissions in queue.permissions:
            for subject in permissions.subjects:
                if subject.kind not in ("User", "Group"):
                    raise InvalidQueue(f"subject kind must be User or Group, not {subject.kind!r}")
        if any(not key or not value for key, value in queue.labels.items()):
            raise InvalidQueue("queue labels must have non-empty keys and values")
        unknown = [name for name in queue.retry_policies if name not in self.retry_policies]
        if unknown:
            raise InvalidQueue(f"unknown retry policies: {', '.join(unknown)}")

    def get(self, name: str) -> Queue | None:
        """Return a queue, or None if there is none of that name."""
        return self._queues.get(name)

    def delete(self, name: str) -> None:
        """Delete a queue if it exists; its jobs stay."""
        self._queues.pop(name, None)

    def sorted(self) -> list[Queue]:
        """Return all queues by name."""
        return [self._queues[name] for name in sorted(self._queues)]

    def weight(self, name: str) -> float | None:
        """Return a queue's priority factor, or None if nothing of it may be scheduled."""
        queue = self._queues.get(name)
        return None if queue is None or queue.cordoned else queue.priority_factor

    def delete_retry_policy(self, name: str) -> None:
        """Delete a retry policy and detach it from the queues that name it."""
        self.retry_policies.pop(name, None)
        for queue in self._queues.values():
            if name in queue.retry_policies:
                queue.retry_policies.remove(name)


def permits(queue: Queue, principal: Principal, verb: str) -> bool:
    """Return whether a queue's own permissions let a caller do something."""
    return any(
        verb in permissions.verbs and any(_is(subject, principal) for subject in permissions.subjects)
        for permissions in queue.permissions
    )


def _is(subject: Queue.Permissions.Subject, principal: Principal) -> bool:
    return subject.name in principal.groups if subject.kind == "Group" else subject.name == principal.name
