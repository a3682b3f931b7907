"""What tests need of Airflow that older versions keep elsewhere."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

AIRFLOW = tuple(int(part) for part in version("apache-airflow-core").split(".")[:2])
"""Major and minor number."""

serde: Any = import_module("airflow.sdk.serde" if AIRFLOW >= (3, 2) else "airflow.serialization.serde")
"""How Airflow turns values into what it stores and sends."""

_objects = import_module("airflow.serialization.serialized_objects")
DagSerialization: Any = getattr(_objects, "DagSerialization" if AIRFLOW >= (3, 2) else "SerializedDAG")
"""How Airflow stores a DAG."""
