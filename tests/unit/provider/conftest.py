"""An Airflow home of its own, so that no test reads or writes the developer's."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="armada-unit-"))
# Its plugins would listen to every task.
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
