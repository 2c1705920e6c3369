"""From the facts of a row to its cells."""

from __future__ import annotations

from typing import Any

import pytest
from unit_samples import RELEASE, golden_lines, kernel_facts, record_of, renumbered, sample_case

from harness.errors import BuildError, CompileError
from harness.facts.kernel import Failure, KernelFacts, fault_of, version_of
from harness.facts.records import CaseRecord, Ending, KernelLog
from harness.judge.cells import cells, kernel_result
from harness.model.results import Expectation, OutcomeKind, PackageInfo, Stage, Verdict
from harness.model.rows import Row
from harness.scenario.case import Case, Part

K = OutcomeKind
ENVIRONMENT = {"release": RELEASE, "version": "#1 SMP Debian 6.1.176-1 (2026-07-02)", "libbpf": "v1.5"}


def some_cases(*names: str, **changes: Any) -> list[Case]:
    return [sample_case(id=name, **changes) for name in names]


def good(name: str) -> CaseRecord:
    lines = [{**line, "case": name} if "case" in line else line for line in golden_lines()]
    return record_of(renumbered(lines), name)


def test_what_the_reports_say_of_a_row() -> None:
    facts = kernel_facts(
        environment=ENVIRONMENT,
        seconds={"fetch": 1.25, "boot": 4.0, "cases": 1.0},
        boots=2,
        problems=("a killed it",),
        console_tail=("boot 2",),
        qemu_version="7.2.9",
        transport="network",
        memory=150.04,
    )
    result = kernel_result(facts)
    assert result.seconds == {"fetch": 1.25, "boot": 4.0, "cases": 1.0, "total": 6.25}
    assert (result.name, result.arch, result.release, result.version) == ("6.1-x86_64", "x86_64", RELEASE, "6.1.176-1")
    assert (result.accel, result.transport, result.qemu_version, result.libbpf_version) == (
        "tcg",
        "network",
        "7.2.9",
        "v1.5",
    )
    assert (result.boots, result.problems, result.console_tail) == (2, ("a killed it",), ("boot 2",))
    assert (result.package, result.memory) == (facts.package, 150.0)


def test_a_kernel_that_complained_before_its_first_case_has_a_problem() -> None:
    facts = kernel_facts(boot_logs=(KernelLog(lines=("WARNING: CPU: 0 at x",)),), problems=("first",))
    first, second = kernel_result(facts).problems
    assert first == "first"
    assert "the kernel complained: WARNING: CPU: 0 at x" in second


def test_a_kernel_that_never_spoke_is_still_named() -> None:
    result = kernel_result(kernel_facts())
    assert (result.release, result.version) == (RELEASE, "6.1.176-1")


def test_a_row_with_axes_has_them_in_its_name() -> None:
    assert Row(kernel="6.1").name == "6.1"
    row = Row(kernel="6.1", userland="libbpf-1.4", compiler="clang-19")
    assert row.name == "6.1+libbpf-1.4+clang-19"
    unreached = Failure(kind=K.NOT_RUN, reason="the run ended before it")
    for facts in (kernel_facts(row=row), kernel_facts(row=row, failure=unreached)):
        (cell,) = cells(facts, some_cases("a"))
        found = kernel_result(facts)
        assert (cell.kernel, found.name) == (row.name, row.name)
        assert (found.userland, found.compiler) == ("libbpf-1.4", "clang-19")
    plain = kernel_result(kernel_facts(row=Row(kernel="6.1")))
    assert (plain.name, plain.userland, plain.compiler) == ("6.1", "", "")


def test_a_case_that_cannot_be_built_is_the_users() -> None:
    compiler = CompileError("case.bpf.c: clang failed", log="case.bpf.c:3: error: no\nmore")
    facts = kernel_facts(
        records={"b": good("b")},
        environment=ENVIRONMENT,
        faults={"a": fault_of(compiler), "c": fault_of(BuildError("not for BPF"))},
    )
    first, second, third = cells(facts, some_cases("a", "b", "c"))
    assert (first.outcome.kind, first.outcome.stage, first.outcome.wrong_input) == (K.LOST, Stage.BUILD, True)
    assert "case.bpf.c:3: error: no" in first.outcome.reason
    assert first.outcome.log == compiler.log
    assert second.outcome.kind == K.WORKS
    assert (third.outcome.reason, third.verdict) == ("not for BPF", Verdict.ERROR)


@pytest.mark.parametrize(
    ("environment", "fallback", "version"),
    [
        (ENVIRONMENT, "x", "6.1.176-1"),
        ({"release": "6.19.0-rc1+", "version": "#1 SMP"}, "x", "6.19.0-rc1+"),
        ({"version": "#1 SMP Debian 7.3~rc7-1~exp1 (2026-01-01)"}, "x", "7.3~rc7-1~exp1"),
        ({}, "6.1.176-1", "6.1.176-1"),
        ({"release": "", "version": None}, "6.1", "6.1"),
    ],
)
def test_the_version_is_debians_where_the_kernel_is(
    environment: dict[str, object], fallback: str, version: str
) -> None:
    assert version_of(environment, fallback) == version


UBUNTU = {"release": "5.15.0-105-generic", "version_signature": "Ubuntu 5.15.0-105.115-generic 5.15.148"}


@pytest.mark.parametrize(
    ("package", "environment", "verdict", "version"),
    [
        ("ubuntu", UBUNTU, Verdict.XPASS, "5.15.148"),
        ("", UBUNTU, Verdict.XPASS, "5.15.148"),  # the kernel itself says whose it is
        ("", {**UBUNTU, "version_signature": "Ubuntu 5.15.0-94.104-generic 5.15.136"}, Verdict.ANSWERED, "5.15.136"),
        ("ubuntu", {"release": "5.15.0-105-generic"}, Verdict.ANSWERED, ""),
        ("rhel-like", {"release": "5.15.148-1.el9.x86_64"}, Verdict.ANSWERED, ""),
        ("debian", {"release": "x", "version": "Debian 5.15.148-1"}, Verdict.XPASS, "5.15.148-1"),
        ("debian", {"release": "x", "version": "Debian 5.15.136-1"}, Verdict.PASS, "5.15.136-1"),
    ],
)
def test_rules_compare_with_the_number_of_the_kernels_distribution(
    package: str, environment: dict[str, str], verdict: Verdict, version: str
) -> None:
    """5.15.0-105 is not 5.15.105, and a kernel that no rule covers is expected nothing of, unless it is Debian's."""
    rules = [
        {"outcome": "refused", "version": ">=5.15.148,<5.16", "reason": "r", "source": "s", "stage": "load-tracer"},
    ]
    info = PackageInfo(source="x", name="linux", version="5.15.0-105.115", sha256="0" * 64, distribution=package)
    facts = kernel_facts(records={"a": good("a")}, environment=environment, package=info)
    (cell,) = cells(facts, some_cases("a", expect=rules))
    assert (cell.outcome.kind, cell.verdict) == (K.WORKS, verdict)
    assert cell.expectation.unruled == (verdict == Verdict.ANSWERED)
    result = kernel_result(facts)
    assert (result.version, result.distribution) == (version, facts.distribution)


REFUSED_BELOW_62 = [
    {"outcome": "refused", "version": "<6.1.100", "reason": "r", "source": "s", "stage": "load-tracer"},
    {"outcome": "works", "reason": "fixed in 6.1.100"},
]


@pytest.mark.parametrize(("debian", "verdict"), [("6.1.99-1", Verdict.XPASS), ("6.1.100-1", Verdict.PASS)])
def test_the_expectation_is_chosen_by_the_version_that_really_ran(debian: str, verdict: Verdict) -> None:
    environment = {"release": RELEASE, "version": f"#1 SMP Debian {debian} (x)"}
    facts = kernel_facts(records={"a": good("a")}, environment=environment)
    (cell,) = cells(facts, some_cases("a", expect=REFUSED_BELOW_62))
    assert (cell.kernel, cell.case, cell.title) == ("6.1-x86_64", "a", sample_case().title)
    assert (cell.outcome.kind, cell.verdict) == (K.WORKS, verdict)
    assert cell.verdict_reason


@pytest.mark.parametrize("release", ["", "my-kernel", "v"])
def test_a_kernel_of_no_known_version_keeps_what_really_happened(release: str) -> None:
    """A kernel of the user's own that dies before it says its version has crashed, and not been misconfigured."""
    package = PackageInfo(source="path", name="Image", version=release, sha256="0" * 64)
    crash = CaseRecord(ending=Ending(kind=K.CRASHED, reason="the kernel died: Oops", step=("a", 0)))
    facts = kernel_facts(records={"a": crash}, release=release, package=package)
    (cell,) = cells(facts, some_cases("a", expect=REFUSED_BELOW_62))
    assert (cell.outcome.kind, cell.verdict) == (K.CRASHED, Verdict.FAIL)
    assert "version is not known" in cell.expectation.reason


def test_a_cell_says_whether_its_case_had_a_guest_of_its_own() -> None:
    wanted = [*some_cases("a"), *some_cases("b", isolated=True), *some_cases("c", cmdline="quiet")]
    found = cells(kernel_facts(), wanted)
    assert [(cell.case, cell.isolated) for cell in found] == [("a", False), ("b", True), ("c", True)]


@pytest.mark.parametrize(("kind", "verdict"), [(K.LOST, Verdict.ERROR), (K.NOT_RUN, Verdict.NOT_RUN)])
@pytest.mark.parametrize("wrong_input", [False, True])
def test_a_row_that_could_not_be_run_has_a_cell_for_every_case(kind: Any, verdict: Verdict, wrong_input: bool) -> None:
    """Also one for a case that could not be built in any way, which says so."""
    facts = KernelFacts(
        row=Row(kernel="k"),
        arch="arm64",
        faults={"c": fault_of(BuildError("not for BPF"))},
        failure=Failure(kind=kind, reason="why", wrong_input=wrong_input),
    )
    result = kernel_result(facts)
    assert (result.name, result.arch, result.boots, result.seconds) == ("k", "arm64", 0, {})
    found = cells(facts, some_cases("a", "b", "c"))
    assert [(cell.kernel, cell.case, cell.outcome.kind, cell.outcome.reason, cell.verdict) for cell in found] == [
        ("k", "a", kind, "why", verdict),
        ("k", "b", kind, "why", verdict),
        ("k", "c", K.LOST, "not for BPF", Verdict.ERROR),
    ]
    assert [cell.outcome.wrong_input for cell in found] == [wrong_input, wrong_input, True]
    assert all(cell.start is None for cell in found)


def test_the_parts_of_a_case_are_judged_each_and_make_its_cell() -> None:
    sample = sample_case()
    refused = Expectation(outcome=K.REFUSED, reason="this part is refused")
    parts = (Part(name="p", steps=sample.steps), Part(name="q", steps=sample.steps, expect=(refused,)))
    case = Case(id="object", title="An object", objects=sample.objects, parts=parts)
    records = {"object/p": good("object/p"), "object/q": good("object/q")}
    (cell,) = cells(kernel_facts(environment=ENVIRONMENT, records=records), [case])
    assert [(part.name, part.verdict) for part in cell.parts] == [("p", Verdict.PASS), ("q", Verdict.XPASS)]
    assert (cell.case, cell.verdict, cell.outcome.reason) == ("object", Verdict.XPASS, "2 of 2 work")


def test_a_part_without_a_record_is_never_green() -> None:
    sample = sample_case()
    case = Case(id="object", title="t", parts=(Part(name="p", steps=sample.steps), Part(name="q", steps=sample.steps)))
    (cell,) = cells(kernel_facts(environment=ENVIRONMENT, records={"object/p": good("object/p")}), [case])
    assert [part.verdict for part in cell.parts] == [Verdict.PASS, Verdict.ERROR]
    assert (cell.verdict, cell.outcome.kind) == (Verdict.ERROR, K.LOST)


def test_a_case_in_parts_that_cannot_be_built_has_none() -> None:
    case = Case(id="object", title="t", parts=(Part(name="p"),))
    (cell,) = cells(kernel_facts(faults={"object": fault_of(BuildError("no such file"))}), [case])
    assert (cell.parts, cell.verdict, cell.outcome.stage) == ((), Verdict.ERROR, Stage.BUILD)
