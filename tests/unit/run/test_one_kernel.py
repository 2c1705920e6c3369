# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_samples import RELEASE, golden_lines, guest_plan, kernel_files, record_of, renumbered, sample_case

from harness.config.case import Case
from harness.errors import FetchError, MirrorError, QemuError
from harness.facts.records import CaseRecord, Ending
from harness.guest.session import SessionResult
from harness.model.results import OutcomeKind, PackageInfo, Start, Verdict
from harness.run.one_kernel import (
    KernelRun,
    batches,
    cells_of,
    error_reason,
    kernel_result,
    run_kernel,
    unreached,
    version_of,
)
from harness.supply.guest_plan import GuestPlan

K = OutcomeKind
Boot = Callable[[GuestPlan, Sequence[Case]], SessionResult]
ENVIRONMENT = {"release": RELEASE, "version": "#1 SMP Debian 6.1.176-1 (2026-07-02)", "libbpf": "v1.5"}


def cases(*names: str, **changes: Any) -> list[Case]:
    return [sample_case(id=name, **changes) for name in names]


def good(name: str) -> CaseRecord:
    lines = [{**line, "case": name} if "case" in line else line for line in golden_lines()]
    return record_of(renumbered(lines), name)


class Guests:
    """Boots that are played: each runs the cases it gets until one kills the guest."""

    def __init__(self, *, killers: Sequence[str] = (), silent: bool = False) -> None:
        self.killers, self.silent = killers, silent
        self.given: list[list[str]] = []

    def __call__(self, plan: GuestPlan, pending: Sequence[Case]) -> SessionResult:
        self.given.append([case.id for case in pending])
        result = SessionResult(seconds={"boot": 2.0, "cases": 0.5}, console_tail=(f"boot {len(self.given)}",))
        if self.silent:
            return result
        result.environment = dict(ENVIRONMENT)
        for case in pending:
            if case.id in self.killers:
                ending = Ending(kind=K.CRASHED, reason="the kernel died: Oops", step=(case.id, 0))
                result.records[case.id] = CaseRecord(ending=ending)
                result.problems.append(f"{case.id} killed it")
                break
            result.records[case.id] = good(case.id)
        return result


def test_cases_that_set_what_cannot_go_back_are_the_last_of_their_guest() -> None:
    name = "kernel.unprivileged_bpf_disabled"
    locked, opened = {name: 1}, {name: 0}
    wanted = [*cases("a", sysctls=locked), *cases("b", sysctls=opened), *cases("c", isolated=True), *cases("d")]
    assert [[case.id for case in batch] for batch in batches(wanted)] == [["b", "d", "a"], ["c"]]


def test_cases_after_one_that_spent_its_guest_get_another(tmp_path: Path) -> None:
    """The agent stops where the guest is not as it was before (`stopped`): the others have no records then."""
    boots = Guests()

    def boot(plan: GuestPlan, pending: Sequence[Case]) -> SessionResult:
        return boots(plan, pending[:2])

    run = run_kernel(guest_plan(tmp_path), cases("a", "b", "c"), boot=boot)
    assert (boots.given, run.boots) == ([["a", "b"], ["c"]], 2)
    assert set(run.records) == {"a", "b", "c"}


def kinds(folder: Path, wanted: list[Case], boot: Boot) -> dict[str, OutcomeKind]:
    plan = guest_plan(folder)
    run = run_kernel(plan, wanted, boot=boot)
    return {cell.case: cell.outcome.kind for cell in cells_of(plan, wanted, run)}


def test_one_guest_is_enough_where_nothing_dies(tmp_path: Path) -> None:
    guests = Guests()
    assert kinds(tmp_path, cases("a", "b", "c"), guests) == {"a": K.WORKS, "b": K.WORKS, "c": K.WORKS}
    assert guests.given == [["a", "b", "c"]]


@pytest.mark.parametrize("killer", ["a", "b", "c"])
def test_a_case_that_kills_its_guest_costs_one_more_boot_and_no_other_case(killer: str, tmp_path: Path) -> None:
    guests = Guests(killers=[killer])
    found = kinds(tmp_path, cases("a", "b", "c"), guests)
    assert found == {name: K.CRASHED if name == killer else K.WORKS for name in "abc"}
    later = ["a", "b", "c"]["abc".index(killer) + 1 :]
    assert guests.given == [["a", "b", "c"], *([later] if later else [])]


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcdef"), unique=True), st.sets(st.sampled_from("abcdef")))
def test_every_case_gets_its_own_answer_in_as_few_boots_as_deaths_allow(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], killers: set[str]
) -> None:
    guests = Guests(killers=sorted(killers))
    wanted = cases(*names)
    found = kinds(tmp_path_factory.getbasetemp(), wanted, guests)
    assert found == {name: K.CRASHED if name in killers else K.WORKS for name in names}
    assert list(found) == names
    deaths = len(killers & set(names[:-1]))
    assert len(guests.given) == (deaths + 1 if names else 0)


def test_a_guest_that_settles_nothing_ends_the_loop_and_its_cases_are_lost(tmp_path: Path) -> None:
    guests = Guests(silent=True)
    assert kinds(tmp_path, cases("a", "b"), guests) == {"a": K.LOST, "b": K.LOST}
    assert guests.given == [["a", "b"], ["a", "b"]], "once, and once more"


class Stumbling(Guests):
    """Boots of which the first ones do not come up: a transcript without an environment."""

    def __init__(self, *, stumbles: int, killers: Sequence[str] = (), stop: bool = False) -> None:
        super().__init__(killers=killers)
        self.stumbles, self.stop = stumbles, stop

    def __call__(self, plan: GuestPlan, pending: Sequence[Case]) -> SessionResult:
        if self.stumbles == 0:
            return super().__call__(plan, pending)
        self.stumbles -= 1
        self.given.append([case.id for case in pending])
        if self.stop:
            plan.stopping.set()
        ending = Ending(kind=K.LOST, reason="the boot deadline of 60 s passed")
        result = SessionResult(seconds={"boot": 60.0}, console_tail=("silence",))
        result.records.update({case.id: CaseRecord(ending=ending) for case in pending})
        result.problems.append("no answer")
        return result


def test_a_guest_that_does_not_come_up_is_booted_once_more_and_that_is_told(tmp_path: Path) -> None:
    guests, plan = Stumbling(stumbles=1), guest_plan(tmp_path)
    run = run_kernel(plan, cases("a", "b"), boot=guests)
    assert guests.given == [["a", "b"], ["a", "b"]]
    assert [cell.outcome.kind for cell in cells_of(plan, cases("a", "b"), run)] == [K.WORKS, K.WORKS]
    assert run.notices == [
        "6.1-x86_64: the guest did not come up (the boot deadline of 60 s passed) and was booted again"
    ]
    assert (run.boots, run.problems, run.seconds["boot"]) == (2, [], 62.0)


def test_a_guest_that_does_not_come_up_twice_is_lost(tmp_path: Path) -> None:
    guests, plan = Stumbling(stumbles=9), guest_plan(tmp_path)
    run = run_kernel(plan, cases("a", "b"), boot=guests)
    assert (run.boots, len(run.notices)) == (2, 1)
    found = cells_of(plan, cases("a", "b"), run)
    assert {(cell.outcome.kind, cell.outcome.reason) for cell in found} == {
        (K.LOST, "the boot deadline of 60 s passed")
    }
    assert run.problems == ["no answer"]


def test_a_case_that_kills_its_guest_is_no_reason_to_run_it_again(tmp_path: Path) -> None:
    guests = Guests(killers=["a"])
    run = run_kernel(guest_plan(tmp_path), cases("a"), boot=guests)
    assert (guests.given, run.notices) == ([["a"]], [])


def test_no_guest_is_booted_again_once_the_run_is_stopping(tmp_path: Path) -> None:
    guests = Stumbling(stumbles=1, stop=True)
    run = run_kernel(guest_plan(tmp_path), cases("a"), boot=guests)
    assert (run.boots, run.notices) == (1, [])


# --- who shares a guest -----------------------------------------------------------------------------------------------


def test_isolated_cases_get_a_guest_of_their_own_after_the_others() -> None:
    wanted = [
        sample_case(id="lone", isolated=True),
        sample_case(id="a"),
        sample_case(id="locked", cmdline="lockdown=confidentiality"),
        sample_case(id="b"),
    ]
    assert [[case.id for case in batch] for batch in batches(wanted)] == [["a", "b"], ["lone"], ["locked"]]
    assert batches([]) == []
    assert [[case.id for case in batch] for batch in batches(wanted[:1])] == [["lone"]]


def test_an_isolated_case_that_kills_its_guest_costs_no_other_boot(tmp_path: Path) -> None:
    guests = Guests(killers=["killer"])
    wanted = [sample_case(id="killer", isolated=True), *cases("a", "b")]
    found = kinds(tmp_path, wanted, guests)
    assert found == {"killer": K.CRASHED, "a": K.WORKS, "b": K.WORKS}
    assert guests.given == [["a", "b"], ["killer"]]


def test_kernel_parameters_of_a_case_are_those_of_its_guest_alone(tmp_path: Path) -> None:
    booted: list[tuple[str, list[str]]] = []

    def boot(plan: GuestPlan, pending: Sequence[Case]) -> SessionResult:
        booted.append((plan.cmdline, [case.id for case in pending]))
        return Guests()(plan, pending)

    wanted = [sample_case(id="locked", cmdline="lockdown=integrity"), sample_case(id="a")]
    run_kernel(guest_plan(tmp_path, cmdline="quiet"), wanted, boot=boot)
    assert booted == [("quiet", ["a"]), ("quiet lockdown=integrity", ["locked"])]
    booted.clear()
    run_kernel(guest_plan(tmp_path), wanted, boot=boot)
    assert booted == [("", ["a"]), ("lockdown=integrity", ["locked"])]


def test_nothing_is_booted_once_the_run_is_stopping(tmp_path: Path) -> None:
    guests = Guests(killers=["a"])
    plan = guest_plan(tmp_path)

    def boot(plan: GuestPlan, pending: Sequence[Case]) -> SessionResult:
        plan.stopping.set()
        return guests(plan, pending)

    run = run_kernel(plan, cases("a", "b"), boot=boot)
    assert guests.given == [["a", "b"]]
    assert [cell.outcome.kind for cell in cells_of(plan, cases("a", "b"), run)] == [K.CRASHED, K.LOST]
    assert run_kernel(plan, cases("a"), boot=guests).boots == 0


def test_a_qemu_that_does_not_start_is_passed_on(tmp_path: Path) -> None:
    def boot(plan: GuestPlan, pending: Sequence[Case]) -> SessionResult:
        raise QemuError("QEMU did not start")

    with pytest.raises(QemuError):
        run_kernel(guest_plan(tmp_path), cases("a"), boot=boot)


def test_what_the_guests_cost_is_added_up(tmp_path: Path) -> None:
    plan = guest_plan(tmp_path)
    run = run_kernel(plan, cases("a", "b"), boot=Guests(killers=["a"]))
    assert run.seconds == {"boot": 4.0, "cases": 1.0}
    assert (run.boots, run.problems, run.console_tail) == (2, ["a killed it"], ("boot 2",))
    result = kernel_result(plan, run, qemu_version="7.2.9", fetch_seconds=1.25)
    assert result.seconds == {"fetch": 1.25, "boot": 4.0, "cases": 1.0, "total": 6.25}
    assert (result.name, result.arch, result.release, result.version) == ("6.1-x86_64", "x86_64", RELEASE, "6.1.176-1")
    assert (result.accel, result.transport, result.qemu_version, result.libbpf_version) == (
        "tcg",
        "network",
        "7.2.9",
        "v1.5",
    )
    assert (result.boots, result.problems, result.console_tail) == (2, ("a killed it",), ("boot 2",))
    assert result.package is plan.kernel.package


def test_a_kernel_that_never_spoke_is_still_named(tmp_path: Path) -> None:
    plan = guest_plan(tmp_path, kernel=kernel_files(tmp_path, has_network=False))
    result = kernel_result(plan, KernelRun(), qemu_version="7.2.9", fetch_seconds=0)
    assert (result.release, result.version, result.transport) == (RELEASE, "6.1.176-1", "serial")


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


REFUSED_BELOW_62 = [
    {"outcome": "refused", "version": "<6.1.100", "reason": "r", "source": "s", "stage": "load-tracer"},
    {"outcome": "works", "reason": "fixed in 6.1.100"},
]


@pytest.mark.parametrize(("debian", "verdict"), [("6.1.99-1", Verdict.XPASS), ("6.1.100-1", Verdict.PASS)])
def test_the_expectation_is_chosen_by_the_version_that_really_ran(
    debian: str, verdict: Verdict, tmp_path: Path
) -> None:
    plan = guest_plan(tmp_path)
    environment: dict[str, object] = {"release": RELEASE, "version": f"#1 SMP Debian {debian} (x)"}
    run = KernelRun(records={"a": good("a")}, environment=environment)
    (cell,) = cells_of(plan, cases("a", expect=REFUSED_BELOW_62), run)
    assert (cell.kernel, cell.case, cell.title) == ("6.1-x86_64", "a", sample_case().title)
    assert (cell.outcome.kind, cell.verdict) == (K.WORKS, verdict)
    assert cell.verdict_reason


@pytest.mark.parametrize("release", ["", "my-kernel", "v"])
def test_a_kernel_of_no_known_version_keeps_what_really_happened(release: str, tmp_path: Path) -> None:
    """A kernel of the user's own that dies before it says its version has crashed, and not been misconfigured."""
    package = PackageInfo(source="path", name="Image", version=release, sha256="0" * 64)
    plan = guest_plan(tmp_path, kernel=kernel_files(tmp_path, release=release, package=package))
    crash = CaseRecord(ending=Ending(kind=K.CRASHED, reason="the kernel died: Oops", step=("a", 0)))
    (cell,) = cells_of(plan, cases("a", expect=REFUSED_BELOW_62), KernelRun(records={"a": crash}))
    assert (cell.outcome.kind, cell.verdict) == (K.CRASHED, Verdict.FAIL)
    assert "version is not known" in cell.expectation.reason


def test_a_cell_says_whether_its_case_had_a_guest_of_its_own(tmp_path: Path) -> None:
    wanted = [*cases("a"), *cases("b", isolated=True), *cases("c", cmdline="quiet")]
    found = cells_of(guest_plan(tmp_path), wanted, KernelRun())
    assert [(cell.case, cell.isolated) for cell in found] == [("a", False), ("b", True), ("c", True)]


@pytest.mark.parametrize(("kind", "verdict"), [(K.LOST, Verdict.ERROR), (K.NOT_RUN, Verdict.NOT_RUN)])
def test_a_kernel_that_could_not_be_run_has_a_cell_for_every_case(kind: OutcomeKind, verdict: Verdict) -> None:
    result, cells = unreached(kernel="k", arch="arm64", cases=cases("a", "b"), kind=kind, reason="why")
    assert (result.name, result.arch, result.boots) == ("k", "arm64", 0)
    assert [(cell.kernel, cell.case, cell.outcome.kind, cell.outcome.reason, cell.verdict) for cell in cells] == [
        ("k", "a", kind, "why", verdict),
        ("k", "b", kind, "why", verdict),
    ]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FetchError("wrong hash"), "FetchError: wrong hash"),
        (MirrorError("no mirror"), "MirrorError: no mirror"),
        (OSError(28, "No space left on device"), "the host failed: [Errno 28] No space left on device"),
    ],
)
def test_an_error_becomes_a_reason(error: Any, words: str) -> None:
    assert error_reason(error) == words


# --- how the guests were started, and what they took ------------------------------------------------------------------


def test_every_cell_says_how_its_own_guest_was_started(tmp_path: Path) -> None:
    """The first guest is restored and dies in `b`; the one for the rest is booted."""
    guests = Guests(killers=["b"])
    starts = [Start.WARM, Start.COLD]

    def boot(plan: GuestPlan, pending: Sequence[Case]) -> SessionResult:
        result = guests(plan, pending)
        result.start, result.memory = starts.pop(0), 100.0 + 50 * len(starts)
        result.notices = [f"told with {result.start}"]
        return result

    plan, wanted = guest_plan(tmp_path), cases("a", "b", "c")
    run = run_kernel(plan, wanted, boot=boot)
    found = {cell.case: cell.start for cell in cells_of(plan, wanted, run)}
    assert found == {"a": Start.WARM, "b": Start.WARM, "c": Start.COLD}
    assert run.notices == ["told with warm", "told with cold"]
    result = kernel_result(plan, run, qemu_version="7.2.9", fetch_seconds=0.0)
    assert result.memory == 150.0, "the most that one of them took"
    assert result.boots == 2


def test_a_cell_that_never_had_a_guest_has_no_start(tmp_path: Path) -> None:
    plan, wanted = guest_plan(tmp_path), cases("a")
    assert [cell.start for cell in cells_of(plan, wanted, KernelRun())] == [None]
