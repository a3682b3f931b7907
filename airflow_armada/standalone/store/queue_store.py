"""The queues: what is stored of them and who may do what with them."""

from __future__ import annotations

import math

from airflow_armada.api import submit_pb2
from airflow_armada.api.submit_pb2 import Queue
from airflow_armada.standalone.auth import Principal

VERBS = ("submit", "cancel", "preempt", "reprioritize", "watch")


class InvalidQueue(ValueError):
    """A queue cannot be stored as it is described."""


class UnknownRetryPolicies(InvalidQueue):
    """A queue names retry policies that there are not."""


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
            owned = Queue.Permissions(subjects=subjects, verbs=VERBS)
            permissions = [owned, *queue.permissions]
            del stored.permissions[:]
            stored.permissions.extend(permissions)
        self._queues[stored.name] = stored

    def _check(self, queue: Queue) -> None:
        if not queue.priority_factor >= 1.0 or math.isinf(queue.priority_factor):
            raise InvalidQueue(
                "failed to map priority factor. priority factor cannot be lower than 1.0. "
                f"Value: {queue.priority_factor:f}"
            )
        for index, permissions in enumerate(queue.permissions):
            for number, subject in enumerate(permissions.subjects):
                if subject.kind not in ("User", "Group"):
                    raise InvalidQueue(
                        f"failed to map permission with index: {index}. failed to map subjects. "
                        f"failed to map kind with index: {number}. invalid kind value: {subject.kind}"
                    )
        for key, value in queue.labels.items():
            if not key or not value:
                raise InvalidQueue(f"queue labels must not have an empty key or value, key: {key}, value: {value}")
        unknown = [f'"{name}"' for name in queue.retry_policies if name not in self.retry_policies]
        if unknown:
            raise UnknownRetryPolicies(f"retry policies do not exist: {', '.join(unknown)}")

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

    def retry_policy(self, name: str) -> submit_pb2.RetryPolicy | None:
        """Return the retry policy that a queue's jobs go by: the first that it names, if there is one."""
        queue = self._queues.get(name)
        names = queue.retry_policies if queue else ()
        return self.retry_policies.get(names[0]) if names else None

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
