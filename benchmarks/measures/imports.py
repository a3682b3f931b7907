"""What importing a module costs on top of another."""

from __future__ import annotations

import importlib
import sys
import time

from benchmarks.children import answer


def _resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def run(before: list[str], module: str) -> dict[str, float]:
    """Import a module.

    :param before: names (``module`` or ``module:attribute``) that are there already and do not count
    :param module: what is measured
    """
    for name in before:
        where, _, attribute = name.partition(":")
        loaded = importlib.import_module(where)
        if attribute:
            getattr(loaded, attribute)
    modules, memory, cpu = len(sys.modules), _resident_mb(), time.process_time()
    importlib.import_module(module)
    return {
        "cpu": time.process_time() - cpu,
        "modules": len(sys.modules) - modules,
        "mb": _resident_mb() - memory,
        "grpc": float("grpc" in sys.modules),
        "protobuf": float("google.protobuf" in sys.modules),
    }


if __name__ == "__main__":
    answer(run)
