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
from airflow_armada.client.site.default_fields import defaults_from
from airflow_armada.client.site.field_values import FieldValues

_NAMES = tuple(PREFIX + name for name in JobDefaults.__dataclass_fields__)


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
