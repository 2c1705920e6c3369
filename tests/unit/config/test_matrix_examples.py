"""The matrices of examples/matrices: each can be read, and names no host that there is."""

from __future__ import annotations

import re

import pytest
from unit_samples import ROOT

from harness.config.matrix import load_matrix

EXAMPLES = sorted((ROOT / "examples/matrices").glob("*.yaml"))


def test_there_are_some() -> None:
    names = {"debian", "ubuntu", "rhel-like", "fedora", "amazon", "suse", "oci", "own", "build", "axes"}
    assert {path.stem for path in EXAMPLES} >= names


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_can_be_read_and_says_what_it_is_about(path: str) -> None:
    matrix = load_matrix(ROOT / path)
    assert len(matrix.kernels) >= 2


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_names_no_host_that_there_is(path: str) -> None:
    text = (ROOT / path).read_text()
    hosts = re.findall(r"\w+://([^/\s]*)", text) + re.findall(r"image: ([\w-]+\.[\w.-]+)/", text)
    assert [host for host in hosts if host and not host.endswith(".example")] == []
