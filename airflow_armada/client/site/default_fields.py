"""The fields of a connection that give defaults for jobs."""

from __future__ import annotations

from airflow_armada.client.job_defaults import JobDefaults
from airflow_armada.client.site.field_values import FieldValues


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
