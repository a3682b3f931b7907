"""``ArmadaOperator.partial()``, whose tasks are checked when their DAG file is parsed."""

from __future__ import annotations

from typing import Any

from airflow.sdk.definitions.mappedoperator import MappedOperator, OperatorPartial

from airflow_armada.task.arguments.spelling import check_names
from airflow_armada.task.check_mapped import check_expansion


class CheckedPartial(OperatorPartial):
    """What all tasks of a mapped operator have, before they are mapped over the rest."""

    @classmethod
    def of(cls, partial: OperatorPartial) -> CheckedPartial:
        """
        Make one of Airflow's own.

        :param partial: Airflow's; it is used up.
        :return: the same, which checks its tasks.
        """
        partial._expand_called = True  # it warns of one that was never mapped
        return cls(operator_class=partial.operator_class, kwargs=partial.kwargs, params=partial.params)

    def expand(self, **mapped_kwargs: Any) -> MappedOperator:
        """
        Map over values.

        :param mapped_kwargs: lists, or what other tasks give, by the name of the argument.
        :return: the mapped task.
        :raises ValueError: when a value can never work.
        """
        self._expand_called = True
        check_names(self.operator_class, {"task_id": self.kwargs.get("task_id"), **mapped_kwargs})
        made = super().expand(**mapped_kwargs)
        check_expansion(self.kwargs, mapped_kwargs)
        return made

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """
        Map over arguments.

        :param kwargs: a list of arguments by name, or what another task gives.
        :param strict: whether it may replace nothing that is given already.
        :return: the mapped task.
        :raises ValueError: when an item can never work.
        """
        self._expand_called = True
        made = super().expand_kwargs(kwargs, strict=strict)
        check_expansion(self.kwargs, kwargs)
        return made
