"""A pin answers the request that it was made for."""

from __future__ import annotations

import pytest
from unit_samples import package_file

from harness.supply.debian.pin import DebianPin

KERNEL = DebianPin(
    suite="trixie-backports",
    package="linux-image-6.16.*-cloud-amd64",
    architecture="amd64",
    version="6.16.12-1~bpo13+1",
    packages=(package_file("linux-image-6.16.12"), package_file("linux-base-6.16.12")),
    missing=("linux-modules-6.16.12",),
)


@pytest.mark.parametrize(
    ("changes", "answers"),
    [
        ({}, True),
        ({"suite": "trixie"}, False),
        ({"package": "linux-image-cloud-amd64"}, False),
        ({"version": "6.16.12-1~bpo13+1"}, False),
        ({"architecture": "arm64"}, False),
    ],
)
def test_an_entry_answers_the_request_that_it_was_made_for(changes: dict[str, str], answers: bool) -> None:
    asked: dict[str, str | None] = {
        "suite": "trixie-backports",
        "package": "linux-image-6.16.*-cloud-amd64",
        "version": None,
        "architecture": "amd64",
    }
    asked.update(changes)
    said = KERNEL.answers(
        suite=str(asked["suite"]),
        package=str(asked["package"]),
        version=asked["version"],
        architecture=str(asked["architecture"]),
    )
    assert said == answers
