"""What is pinned of an RPM repository."""

from __future__ import annotations

from typing import Any

from harness.supply.rpm.pin import RpmFile, RpmPin, marks_of

FILE = RpmFile(name="kernel-core", version="1-1", arch="x86_64", file="../a/k-1.rpm", checksum="0", size=1)


def test_a_pin_answers_its_own_request_of_one_of_its_repositories() -> None:
    pin = RpmPin(
        package="kernel-core",
        architecture="x86_64",
        version="1-1",
        packages=(FILE,),
        repositories=("a", "c"),
        wanted_version="1",
    )
    asked: dict[str, Any] = {
        "package": "kernel-core",
        "version": "1",
        "architecture": "x86_64",
        "repositories": ("b", "a"),
    }
    assert pin.answers(**asked)
    for change in ({"package": "kernel"}, {"version": None}, {"architecture": "aarch64"}, {"repositories": ("b",)}):
        assert not pin.answers(**{**asked, **change})


def test_a_file_has_the_last_part_of_its_address_as_its_name() -> None:
    assert FILE.file_name == "k-1.rpm"


def test_addresses_are_told_apart_without_being_named() -> None:
    one, two = marks_of(["https://a.example/x", "https://b.example/x"])
    assert one != two
    assert "example" not in one + two
    assert marks_of(["https://a.example/x/"]) == (one,)
