"""No two files of the package need each other, also not by way of others, and also not for their types alone."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_there_is_no_circle_of_files() -> None:
    graph = grimp.build_graph("airflow_armada", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle
