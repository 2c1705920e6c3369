"""Where packages of a suite are, and with which keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from source_worlds import no_mirrors

from harness.errors import ConfigError
from harness.supply.debian.mirrors import Mirrors
from harness.supply.debian.repository import Line, Release, addresses, known_names, parse_release, variable_of

BASE = "http://m.example/ubuntu"


@pytest.mark.parametrize(
    ("changes", "keyring", "text"),
    [
        ({}, None, f"deb {BASE} jammy main"),
        ({}, Path("/k.gpg"), f"deb [signed-by=/k.gpg] {BASE} jammy main"),
        ({"unsigned": True}, None, f"deb [trusted=yes] {BASE} jammy main"),
        ({"components": ("main", "universe")}, None, f"deb {BASE} jammy main universe"),
    ],
)
def test_a_line_as_apt_reads_it(changes: dict[str, Any], keyring: Path | None, text: str) -> None:
    assert Line(address=BASE, suite="jammy", **changes).text(keyring) == text


@pytest.mark.parametrize(
    ("dated", "checks"),
    [
        (None, ""),
        (True, 'Acquire::Check-Date "true";\nAcquire::Check-Valid-Until "false";\n'),
        (False, 'Acquire::Check-Date "true";\nAcquire::Check-Valid-Until "true";\n'),
    ],
)
def test_only_a_snapshot_may_have_expired(dated: bool | None, checks: str) -> None:
    assert Line(address=BASE, suite="jammy", dated=dated).checks() == checks


def test_a_release_file() -> None:
    text = (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nOrigin: Ubuntu\nLabel: Ubuntu\nSuite: jammy\n"
        "Architectures: amd64 arm64\nComponents: main updates/universe \nSHA256:\n 00 1 main/x\n"
    )
    assert parse_release(text) == Release(
        origin="Ubuntu", architectures=("amd64", "arm64"), components=("main", "universe")
    )
    assert parse_release("") == Release()


def test_names_stand_for_addresses_in_order_each_once() -> None:
    mirrors = Mirrors({"debian": "http://host.example/debian"}, {})
    found = addresses(
        ["http://a.example/{date}/", "ours", "debian", "by-hand", "ours"],
        named={"ours": ["http://b.example/", "http://c.example"], "by-hand": ["http://not.example"]},
        mirrors=lambda: mirrors,
        date="20260131",
        environment={"BPFMATRIX_BY_HAND_MIRROR": "http://d.example http://e.example/"},
    )
    assert found == (
        *("http://a.example/20260131", "http://b.example", "http://c.example", "http://host.example/debian"),
        *("http://d.example", "http://e.example"),
    )


def test_a_name_that_nobody_knows_is_said_with_what_to_write() -> None:
    with pytest.raises(ConfigError, match=r'"ours" is no address.*mirrors: \{others: \{ours: .*BPFMATRIX_OURS_MIRROR'):
        addresses(["ours"], named={}, mirrors=no_mirrors, environment={})


def test_which_names_are_known_without_looking_for_a_mirror() -> None:
    known = known_names({"ours": ["http://a.example"]}, {"BPFMATRIX_BY_HAND_MIRROR": "http://b.example"})
    words = ["ours", "by-hand", "debian", "debian-security", "http://c.example", "file:///srv", "theirs"]
    assert [word for word in words if not known(word)] == ["theirs"]


def test_the_variable_of_a_name() -> None:
    assert variable_of("our-mirror") == "BPFMATRIX_OUR_MIRROR_MIRROR"
    assert variable_of("debian") == "BPFMATRIX_DEBIAN_MIRROR"
