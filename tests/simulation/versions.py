"""Where versions of Airflow differ for the life of a task: what the provider asks, and what triggerers do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

USER_ACTION = "__airflow_user_action__"
REASSIGNED = "__airflow_reassigned__"
ON_KILL_TIMEOUT = 30.0  # s; ``[triggerer] on_kill_timeout``
NUMBERS = ((3, 1), (3, 2), (3, 3), (3, 4))


@dataclass(frozen=True)
class Version:
    """
    A version of Airflow.

    :param number: its major and minor number.
    """

    number: tuple[int, int] = (3, 3)

    @property
    def has_store(self) -> bool:
        """Whether tasks have a state store."""
        return self.number >= (3, 3)

    @property
    def has_retry_policies(self) -> bool:
        """Whether a task may have a retry policy."""
        return self.number >= (3, 3)

    @property
    def puts_off(self) -> bool:
        """Whether a retry policy may put a try off."""
        return self.number >= (3, 4)

    @property
    def has_loops(self) -> bool:
        """Whether a task may have passes, each with a state store of its own."""
        return self.number >= (3, 4)

    @property
    def triggers_hear_of_kills(self) -> bool:
        """Whether the cancel of a trigger says that a user is behind it, and ``on_kill`` is called."""
        return self.number >= (3, 3)

    @property
    def triggers_hear_of_takeovers(self) -> bool:
        """Whether that cancel tells a kill from a trigger that another triggerer has taken over."""
        return self.number >= (3, 4)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the provider find this version."""
        answers = {
            "triggers.armada.TRIGGERS_HEAR_OF_KILLS": self.triggers_hear_of_kills,
            "triggers.killed.TRIGGERS_HEAR_OF_KILLS": self.triggers_hear_of_kills,
            "triggers.killed.TRIGGERS_HEAR_OF_TAKEOVERS": self.triggers_hear_of_takeovers,
            "task.end.next_try.HAS_RETRY_POLICIES": self.has_retry_policies,
        }
        with ExitStack() as stack:
            for name, answer in answers.items():
                stack.enter_context(patch(f"airflow_armada.{name}", answer))
            yield

    async def run_trigger(self, trigger: Any, fire: Callable[[Any], None]) -> None:
        """
        Do what a triggerer does with a trigger.

        :param trigger: the trigger.
        :param fire: called with its event.
        """
        try:
            async for event in trigger.run():
                fire(event)
        except asyncio.CancelledError as error:
            if self.triggers_hear_of_kills and error.args[:1] == (USER_ACTION,):
                with suppress(Exception):
                    async with asyncio.timeout(ON_KILL_TIMEOUT):
                        await trigger.on_kill()
            raise
        finally:
            with suppress(Exception):
                await trigger.cleanup()

    def end_for_user(self, running: asyncio.Task[Any]) -> None:
        """End a trigger whose task was taken away by a user."""
        _cancel(running, USER_ACTION if self.triggers_hear_of_kills else None)

    def end_for_other(self, running: asyncio.Task[Any]) -> None:
        """End a trigger that another triggerer has taken over."""
        if self.triggers_hear_of_takeovers:
            _cancel(running, REASSIGNED)
        else:
            self.end_for_user(running)


def _cancel(running: asyncio.Task[Any], message: str | None) -> None:
    """Cancel a trigger, and again each second as long as it runs."""
    if not running.done():
        running.cancel(message)
        asyncio.get_running_loop().call_later(1.0, _cancel, running, message)
