"""What all tests share: no test asserts its own timing, and Hypothesis' clocks are no exception."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "busy machine",
    deadline=None,
    # What is pushed is judged by the same examples each time; elsewhere, and in make fuzz, by chance.
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile(
    "fuzz",
    settings.get_profile("busy machine"),
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "1000")),
    derandomize=False,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "busy machine"))
