"""
The defaults for the jobs of a task: those of its connection, laid over those of ``[armada]``.

The latter can be read wherever a DAG file is parsed; the former only where a task runs.
"""

from __future__ import annotations

from functools import lru_cache

from airflow_armada._compat import conf
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.job_defaults import PREFIX, JobDefaults
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.site.field_values import FieldValues

_NAMES = tuple(PREFIX + name for name in JobDefaults.__dataclass_fields__)


def defaults_from(values: FieldValues) -> JobDefaults:
    """
    Read defaults.

    :param values: fields of a connection, or options under the same names.
    :return: the defaults.
    :raises SettingsError: when a field is not what it must be.
    """
    return JobDefaults(
        queue=values.text("default_queue"),
        namespace=values.text("default_namespace"),
        priority_class=values.text("default_priority_class"),
        resources=values.pairs("default_resources"),
        labels=values.pairs("default_labels"),
    )


def configured_defaults() -> JobDefaults:
    """
    Read the defaults of this deployment.

    :return: what ``[armada]`` says.
    :raises SettingsError: when an option cannot be read.
    """
    return _configured(tuple(conf.get("armada", name, fallback="") or "" for name in _NAMES))


@lru_cache(maxsize=8)
def _configured(options: tuple[str, ...]) -> JobDefaults:
    try:
        return defaults_from(FieldValues("", "", dict(zip(_NAMES, options, strict=True))))
    except SettingsError as error:
        raise SettingsError(f"[armada] {str(error).removeprefix('extra ')}") from None


def job_defaults(settings: SiteSettings) -> JobDefaults:
    """
    Give the defaults for a job.

    :param settings: the site that it is submitted to.
    :return: those of the connection, laid over those of the deployment.
    :raises SettingsError: when an option of the deployment cannot be read.
    """
    return settings.defaults.over(configured_defaults())
