"""``@task.armada`` runs a Python function in a job; ``@task.armada_cmd`` runs the command that a function returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.sdk.bases.decorator import DecoratedOperator, TaskDecorator, task_decorator_factory

from airflow_armada._compat import keyword_arguments
from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.task.arguments.spelling import check_names
from airflow_armada.task.check_mapped import check_expansion

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_armada.jobs.build import JobRequest
    from airflow_armada.tries.identity import JobIdentity

# What a function may ask for by the names of its parameters: facts that are plain text.
_TEXTS_OF_CONTEXT = frozenset(
    {"ds", "ds_nodash", "run_id", "task_instance_key_str", "ts", "ts_nodash", "ts_nodash_with_tz"}
)
_MADE_HERE = ("cmds", "arguments", "result_file")


class _ArmadaDecoratedOperator(DecoratedOperator, ArmadaOperator):
    """
    Run a Python function in a job.

    :param python_callable: the function; it stands on its own, see :mod:`airflow_armada.jobs.python.packing`.
    :param requirements: packages that pip installs in the job before, as in a requirements file.
    :param serializer: how arguments travel: ``json``, or ``pickle`` for types that the image can import.
    :param python: interpreter in the image, Python 3.8 or later.
    :param get_result: return what the function returns, by way of JSON; by default where the task waits for its end.
    """

    custom_operator_name = "@task.armada"
    template_fields: Sequence[str] = (
        "op_args",
        "op_kwargs",
        "requirements",
        *(name for name in ArmadaOperator.template_fields if name not in _MADE_HERE),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **ArmadaOperator.template_fields_renderers,
    }

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        requirements: Sequence[str] = (),
        serializer: str = "json",
        python: str = "python3",
        get_result: bool | str | None = None,
        **kwargs: Any,
    ) -> None:
        waits = kwargs.get("wait_for_completion", True)
        super().__init__(
            python_callable=python_callable, get_result=waits if get_result is None else get_result, **kwargs
        )
        self.requirements = requirements
        self.serializer = serializer
        self.python = python
        self._check_function()

    def _check_function(self) -> None:
        from airflow_armada.jobs.python.packing import function_source

        made = [name for name in _MADE_HERE if getattr(self, name) is not None]
        if made:
            raise ValueError(f"{made[0]} cannot be given to @task.armada, which makes it out of the function")
        function_source(self.python_callable)
        for name in _asked_of_context(self.python_callable, self.op_args, self.op_kwargs) - _TEXTS_OF_CONTEXT:
            raise ValueError(
                f"{self.python_callable.__name__} asks for {name!r} of Airflow's context, which cannot travel to a "
                'job; pass what is needed of it as an argument, such as "{{ ti.task_id }}"'
            )

    def build_request(self, identity: JobIdentity) -> JobRequest:
        """
        Build the request for the job, with the function in it.

        :param identity: identity of the job.
        :return: the request.
        :raises ArmadaRefused: when the arguments do not make a job.
        """
        from airflow_armada.exceptions import ArmadaRefused
        from airflow_armada.jobs.build import main_container, main_pod_spec
        from airflow_armada.jobs.python.packing import UnsupportedFunction, pack

        request = super().build_request(identity)
        try:
            packed = pack(
                self.python_callable,
                [_as_list(value) for value in self.op_args],
                {name: _as_list(value) for name, value in {**self._asked_of_context(), **self.op_kwargs}.items()},
                requirements=self.requirements,
                serializer=self.serializer,
                python=self.python,
                result=bool(self.get_result),
            )
        except UnsupportedFunction as error:
            raise ArmadaRefused(str(error)) from None
        container = main_container(main_pod_spec(request.item), self.container_name)
        container.command[:] = packed.cmds
        container.ClearField("args")
        for name, value in packed.env_vars.items():
            container.env.add(name=name, value=value)
        return request

    def _asked_of_context(self) -> dict[str, str]:
        """Give what the function asks of the context, as far as there is one."""
        asked, known = _asked_of_context(self.python_callable, self.op_args, self.op_kwargs), self._context or {}
        return {name: known[name] for name in sorted(asked) if name in known}


def _asked_of_context(function: Callable[..., Any], args: Collection[Any], kwargs: Mapping[str, Any]) -> set[str]:
    """The parameters that Airflow would fill from its context: named like a part of it, and not given."""
    from airflow.sdk.definitions.context import KNOWN_CONTEXT_KEYS

    signature = inspect.signature(function)
    given = set(signature.bind_partial(*args, **kwargs).arguments)
    named = {
        name for name, one in signature.parameters.items() if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    }
    return (named & set(KNOWN_CONTEXT_KEYS)) - given


def _as_list(value: Any) -> Any:
    """What mapped tasks upstream gave comes as a lazy sequence."""
    plain = isinstance(value, str | bytes | list | tuple) or not isinstance(value, Sequence)
    return value if plain else list(value)


class _ArmadaCmdDecoratedOperator(DecoratedOperator, ArmadaOperator):
    """
    Run the command that a function returns.

    The function runs on the worker, once before each submission; it gets Airflow's context as other tasks do.

    :param python_callable: returns the command as a list of texts, which may hold templates.
    :param args_only: the command is given to the image's own entry point.
    """

    custom_operator_name = "@task.armada_cmd"
    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, *ArmadaOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **ArmadaOperator.template_fields_renderers,
    }

    def __init__(self, *, python_callable: Callable[..., Any], args_only: bool = False, **kwargs: Any) -> None:
        super().__init__(python_callable=python_callable, **kwargs)
        self.args_only = args_only
        self._made: list[str] = []
        made = "arguments" if args_only else "cmds"
        if getattr(self, made) is not None:
            raise ValueError(f"{made} cannot be given to @task.armada_cmd: the function returns it")

    def build_request(self, identity: JobIdentity) -> JobRequest:
        """
        Build the request for the job, with the command that the function returns.

        :param identity: identity of the job.
        :return: the request.
        :raises ArmadaRefused: when the arguments do not make a job, or the function returned no command.
        """
        self._made = self._made or self._command()
        setattr(self, "arguments" if self.args_only else "cmds", self._made)
        return super().build_request(identity)

    def _show_early(self, context: Context) -> None:
        """Leave it to the execution, where the function belongs."""

    def _command(self) -> list[str]:
        from airflow_armada.exceptions import ArmadaRefused

        context: Any = self._context or {}
        known = {**context, **self.op_kwargs}
        command = self.python_callable(*self.op_args, **keyword_arguments(self.python_callable, self.op_args, known))
        if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
            raise ArmadaRefused(
                f"{self.python_callable.__name__} must return a command, a list of texts, not {command!r}"
            )
        rendered: list[str] = self.render_template(command, context)
        return rendered


def armada_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """
    Run a Python function as an Armada job: ``@task.armada(armada_queue=..., image="python:3.12")``.

    :param python_callable: the function to decorate.
    :param kwargs: arguments of ``ArmadaOperator``, and ``requirements``, ``serializer`` and ``python``.
    :return: the decorator.
    """
    return _decorator(_ArmadaDecoratedOperator, python_callable, kwargs)


def armada_cmd_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """
    Run the command that a function returns as an Armada job: ``@task.armada_cmd(armada_queue=..., image=...)``.

    :param python_callable: the function to decorate.
    :param kwargs: arguments of ``ArmadaOperator``, and ``args_only``.
    :return: the decorator.
    """
    return _decorator(_ArmadaCmdDecoratedOperator, python_callable, kwargs)


def _decorator(
    operator_class: type[DecoratedOperator], python_callable: Callable[..., Any] | None, arguments: dict[str, Any]
) -> TaskDecorator:
    """Check the arguments of all tasks of a function where it is decorated: a mapped one makes none while parsing."""
    make = task_decorator_factory(decorated_operator_class=operator_class, **arguments)

    def decorate(function: Callable[..., Any]) -> Any:
        given = {"task_id": getattr(function, "__name__", ""), **arguments}
        check_names(operator_class, given)
        check_expansion(given, None)
        return make(function)

    made: Any = decorate if python_callable is None else decorate(python_callable)
    return cast("TaskDecorator", made)
