"""The syntax of image names."""

from __future__ import annotations

import pytest

from airflow_armada.api.image_name import is_image_name

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "image",
    [
        "busybox",
        "busybox:1.36",
        "library/busybox",
        "a__b/c--d.e:V1_x",
        "localhost:5000/team/tool",
        "registry.example.org/Team".lower(),
        "REGISTRY.example.org/team/tool:latest",
        "[2001:db8::1]:5000/tool",
        f"tool@{DIGEST}",
        f"gcr.io/project/tool:1@{DIGEST}",
    ],
)
def test_it_names_an_image(image: str) -> None:
    assert is_image_name(image)


@pytest.mark.parametrize(
    "image",
    [
        "",
        "Busybox",
        "team/Tool",
        "https://nope",
        "docker://busybox",
        "busybox:",
        "busybox:-1",
        "busybox:" + "x" * 129,
        "busy box",
        "busybox\n",
        "a//b",
        "/busybox",
        "a/",
        "a..b",
        "a___b",
        "tool@sha256:abc",
        "0123456789abcdef" * 4,
        "a" * 256,
    ],
)
def test_it_does_not(image: str) -> None:
    assert not is_image_name(image)
