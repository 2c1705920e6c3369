"""What pages say in words: times, errors, expectations, packages."""

from __future__ import annotations

import pytest
from reports_sample import PASSED, kernel

from harness.model.results import Expectation, Outcome, OutcomeKind, PackageInfo, Stage
from harness.reports import wording


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "-"), (0, "0.0 s"), (7.44, "7.4 s"), (119.9, "119.9 s"), (119.96, "2 min 00 s"), (125, "2 min 05 s")],
)
def test_duration(seconds: float | None, shown: str) -> None:
    assert wording.duration(seconds) == shown


def test_errno() -> None:
    def said(number: int | None, name: str | None) -> str:
        return wording.errno(Outcome(kind=OutcomeKind.REFUSED, reason="", errno=number, errno_name=name))

    assert [said(524, "ENOTSUPP"), said(22, None), said(None, "EINVAL"), said(None, None)] == [
        "ENOTSUPP (524)", "22", "EINVAL", "",
    ]  # fmt: skip


def test_expected_and_happened() -> None:
    refused = Expectation(
        outcome=OutcomeKind.REFUSED,
        reason="too old",
        source="a commit",
        stage=Stage.ATTACH_TRACER,
        errno=("EINVAL", "ENOTSUPP"),
        message="no",
        known_bug=True,
    )
    assert wording.expected(refused) == (
        'refused at attach-tracer with EINVAL or ENOTSUPP saying "no" (a known bug): too old [a commit]'
    )
    assert wording.expected(Expectation(outcome=OutcomeKind.WORKS, reason="")) == "works"
    unset = Expectation(
        outcome=OutcomeKind.NOT_APPLICABLE, reason="", cause="kconfig", cause_name="CONFIG_A", errno=("ENOENT",)
    )
    assert wording.expected(unset) == "not-applicable with ENOENT because of the kernel option CONFIG_A"
    assert wording.happened(PASSED) == "works: every event came, in order"


def test_package() -> None:
    assert wording.package(None) == "-"
    own = PackageInfo(source="path", name="build/bzImage", version="", sha256="00")
    assert wording.package(own) == "build/bzImage (path)"
    assert wording.package(kernel("6.1").package) == "linux-image-6.1-cloud-amd64 6.1-1 (bookworm)"
