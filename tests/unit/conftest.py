"""An Airflow home of its own, so that no test reads or writes the developer's."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="armada-unit-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
# Its plugins would listen to every task.
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
