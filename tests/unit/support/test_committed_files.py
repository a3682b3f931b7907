"""What is committed works with anybody's package registry."""

from __future__ import annotations

import json
from pathlib import Path

LOCK = Path(__file__).parents[2] / "support" / "oidc_provider" / "package-lock.json"


def test_the_lock_file_pins_packages_by_content_and_names_no_registry() -> None:
    packages = {name: one for name, one in json.loads(LOCK.read_text())["packages"].items() if name}

    assert [name for name, one in packages.items() if "resolved" in one] == []
    assert [name for name, one in packages.items() if not one["integrity"].startswith("sha512-")] == []
