from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import changed, record_of, sample_case

from harness.config.known_splats import KnownSplatEntry
from harness.facts.records import KernelLog
from harness.judge.known_splats import NOTHING_ALLOWED, AllowList, boot_problems, expiry_notices, weigh
from harness.judge.outcome import outcome_of
from harness.judge.verdict import judge
from harness.model.known_splats import KnownSplat
from harness.model.results import AllowedSplat, Expectation, Outcome, OutcomeKind, Verdict

LAST_DAY = date(2027, 1, 31)
LINK = "https://example.org/report/1"
WARNING = (
    "WARNING: CPU: 0 PID: 71 at kernel/bpf/trampoline.c:412 f+0x1/0x2\nCall Trace:\nbpf_tracing_link_release+0x1/0x2"
)
FIRST_LINE = "WARNING: CPU: 0 PID: 71 at kernel/bpf/trampoline.c:412 f+0x1/0x2"
WARNING = f"{FIRST_LINE}\nCall Trace:\nbpf_tracing_link_release+0x1/0x2"
BUG = "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580"


def entry(pattern: str = "bpf_tracing_link_release", **changes: Any) -> KnownSplat:
    keys = {"pattern": pattern, "reason": "the kernel's own", "link": LINK, "expires": "2027-01-31", **changes}
    return KnownSplatEntry.model_validate(keys).value()


def allow(*entries: KnownSplat, today: date = LAST_DAY) -> AllowList:
    return AllowList(entries=entries or (entry(),), today=today)


def judged(log: list[str], allowed: AllowList) -> Outcome:
    """The outcome of a real run in which all was seen, with `log` as the kernel's messages."""
    lines = changed(lambda line: {**line, "kernel_log": log} if line["type"] == "case-end" else line)
    return outcome_of(sample_case(), record_of(lines), allow=allowed)


# --- weighing ---------------------------------------------------------------------------------------------------------


def test_a_splat_that_matches_is_allowed_and_told() -> None:
    found = weigh([WARNING], allow())
    expected = AllowedSplat(
        line=FIRST_LINE,
        count=1,
        pattern="bpf_tracing_link_release",
        reason="the kernel's own",
        link=LINK,
        expires="2027-01-31",
    )
    assert (found.allowed, found.complaints) == ((expected,), ())


def test_a_splat_that_does_not_match_counts() -> None:
    found = weigh([BUG], allow())
    assert (found.allowed, found.complaints) == ((), (f"the kernel complained: {BUG}",))


def test_a_splat_that_is_allowed_hides_no_other() -> None:
    for splats in ([WARNING, BUG], [BUG, WARNING]):
        found = weigh(splats, allow())
        assert [splat.line for splat in found.allowed] == [FIRST_LINE]
        assert found.complaints == (f"the kernel complained: {BUG}",)


def test_several_splats_of_one_entry_are_counted() -> None:
    found = weigh([WARNING, BUG, WARNING], allow(entry(), entry("sleeping function")))
    assert [(splat.count, splat.pattern) for splat in found.allowed] == [
        (2, "bpf_tracing_link_release"),
        (1, "sleeping function"),
    ]
    assert found.complaints == ()


@pytest.mark.parametrize(("days", "counts"), [(-1, False), (0, False), (1, True), (400, True)])
def test_an_entry_counts_to_the_end_of_its_day(days: int, counts: bool) -> None:
    found = weigh([WARNING], allow(today=LAST_DAY + timedelta(days=days)))
    assert bool(found.complaints) is counts
    assert bool(found.allowed) is not counts


def test_a_splat_whose_entry_has_expired_names_it() -> None:
    (complaint,) = weigh([WARNING], allow(today=date(2027, 2, 1))).complaints
    assert complaint.startswith("the kernel complained: WARNING: CPU: 0")
    assert complaint.endswith(f"(allowed until 2027-01-31, which is over: the kernel's own [{LINK}])")


def test_an_entry_that_has_expired_does_not_stand_in_the_way_of_one_that_has_not() -> None:
    entries = (entry(reason="old"), entry(reason="new", expires="2028-01-01"))
    found = weigh([WARNING], allow(*entries, today=date(2027, 2, 1)))
    assert [splat.reason for splat in found.allowed] == ["new"]
    assert found.complaints == ()


# --- which kernels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "covered"),
    [
        ({}, True),
        ({"arch": ["x86_64", "arm64"]}, True),
        ({"arch": ["arm64"]}, False),
        ({"version": ">=6.19,<7.2"}, True),
        ({"version": "<6.1 | >=7.0"}, True),
        ({"version": ">=7.1"}, False),
        ({"arch": ["x86_64"], "version": "==7.0.*"}, True),
        ({"arch": ["x86_64"], "version": "<7.0"}, False),
        ({"arch": ["s390x"], "version": "==7.0.*"}, False),
    ],
)
def test_an_entry_concerns_the_kernels_that_it_names(changes: dict[str, Any], covered: bool) -> None:
    found = allow(entry(**changes)).concerning(arch="x86_64", version="7.0.13-1~bpo13+1")
    assert bool(found.entries) is covered
    assert bool(weigh([WARNING], found).complaints) is not covered


@pytest.mark.parametrize(("changes", "covered"), [({}, True), ({"version": ">=4.0"}, False)])
def test_a_kernel_of_unknown_version_is_covered_by_no_range(changes: dict[str, Any], covered: bool) -> None:
    assert bool(allow(entry(**changes)).concerning(arch="x86_64", version="mine").entries) is covered


# --- the outcome ------------------------------------------------------------------------------------------------------


def test_an_allowed_splat_leaves_the_outcome_and_stays_visible() -> None:
    log = [f"<4> {line}" for line in WARNING.split("\n")]
    found = judged(log, allow())
    assert found.kind == OutcomeKind.WORKS
    assert found.splats == (WARNING,)
    assert [splat.reason for splat in found.allowed_splats] == ["the kernel's own"]
    assert judge(found, Expectation(outcome=OutcomeKind.WORKS, reason="r"))[0] == Verdict.PASS


@pytest.mark.parametrize("allowed", [NOTHING_ALLOWED, allow(today=date(2027, 2, 1)), allow(entry("another"))])
def test_any_other_splat_misbehaves(allowed: AllowList) -> None:
    found = judged([f"<4> {line}" for line in WARNING.split("\n")], allowed)
    assert (found.kind, found.splats, found.allowed_splats) == (OutcomeKind.MISBEHAVES, (WARNING,), ())


# --- notices ----------------------------------------------------------------------------------------------------------


def test_each_expired_entry_is_told_with_its_date_and_what_to_do() -> None:
    entries = (entry(expires="2026-12-31"), entry(expires="2028-01-01"), entry("other", expires="2027-01-31"))
    assert len(expiry_notices(allow(*entries, today=date(2027, 1, 1)), file="matrix.yaml")) == 1
    first, second = expiry_notices(allow(*entries, today=date(2027, 2, 1)), file="matrix.yaml")
    assert first == (
        "matrix.yaml: known-splats[0] (/bpf_tracing_link_release/: the kernel's own) expired after 2026-12-31 and "
        f"counts no more: a splat that it matches makes the case misbehave again. See whether {LINK} is fixed: if so, "
        "remove the entry, else give it a later date"
    )
    assert second.startswith("matrix.yaml: known-splats[2] (/other/")


@given(
    splats=st.lists(st.sampled_from([WARNING, BUG, "Oops: 0000 [#1]"]), max_size=5),
    patterns=st.lists(st.sampled_from(["release", "sleeping", "Oops", "never"]), max_size=4),
    days=st.integers(-2, 2),
)
def test_all_is_allowed_exactly_where_each_splat_is(splats: list[str], patterns: list[str], days: int) -> None:
    found = weigh(splats, AllowList(entries=tuple(map(entry, patterns)), today=LAST_DAY + timedelta(days=days)))
    fitting = [splat for splat in splats if days <= 0 and any(pattern in splat for pattern in patterns)]
    assert (found.complaints == ()) == (len(fitting) == len(splats))
    assert sum(splat.count for splat in found.allowed) == len(fitting)


def test_a_complaint_at_boot_is_a_problem_of_the_kernel_unless_it_is_allowed() -> None:
    warning = tuple(f"<4> {line}" for line in WARNING.splitlines())
    logs = [KernelLog(lines=("<6> booting", *warning)), KernelLog(lines=warning, lost=2)]
    assert boot_problems(logs, allow=NOTHING_ALLOWED) == (
        f"before the first case, the kernel complained: {FIRST_LINE}",
        "before the first case, 2 messages of the kernel are missing",
    )
    assert boot_problems(logs[:1], allow=allow()) == ()
    assert boot_problems([KernelLog(lines=("<6> booting",))], allow=NOTHING_ALLOWED) == ()
