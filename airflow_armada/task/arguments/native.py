"""Native rendering, which gives templates their Python values, without harm to what is text by type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_armada.task.arguments.declared import JOB_ARGUMENTS

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

    from airflow_armada.task.arguments.task_arguments import TaskArguments

_TYPED = frozenset({*JOB_ARGUMENTS, "armada_queue", "job_set_id", "armada_conn_id"})


def render_typed(operator: TaskArguments, names: Iterable[str], context: Context, env: jinja2.Environment) -> list[str]:
    """
    Render arguments by their type, where Airflow would make Python values of all that looks like one.

    What holds no template is left as it is.

    :param operator: has its arguments replaced.
    :param names: of the arguments.
    :param context: Airflow's context.
    :param env: with which Airflow would render.
    :return: the names of those that Airflow shall render.
    """
    from jinja2.nativetypes import NativeEnvironment

    names = list(names)
    if not isinstance(env, NativeEnvironment) or (dag := operator.get_dag()) is None:
        return names
    from airflow.sdk.definitions.context import render_template_to_string

    from airflow_armada.jobs.text_fields import render_argument

    texts = dag.get_template_env(force_sandboxed=True)
    marks = (env.variable_start_string, env.block_start_string, env.comment_start_string)

    def render(template: Any, as_text: bool) -> Any:
        if isinstance(template, str) and not any(mark in template for mark in marks):
            return template
        if as_text:
            return render_template_to_string(texts.from_string(template), context)
        return operator.render_template(template, context, env)

    plain = (str, list, tuple, dict)
    typed = [name for name in names if name in _TYPED and isinstance(getattr(operator, name), plain)]
    for name in typed:
        setattr(operator, name, render_argument(name, getattr(operator, name), render))
    return [name for name in names if name not in typed]
