"""Programs that some tests need and that are not Python packages."""

from __future__ import annotations

import os
import shutil

import pytest

_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def needed(program: str, package: str) -> str:
    """
    Find a program; without it the test fails in CI, where nothing may be left out, and is skipped elsewhere.

    :param program: its name
    :param package: what to install with apt-get
    :return: its path
    """
    path = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_FOLDERS}")
    if path:
        return path
    text = f"this test needs {program}: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)
