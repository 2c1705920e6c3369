# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import RELEASE, golden_lines, guest_plan, kernel_files, record_of, renumbered, sample_case

from harness.errors import FetchError, MirrorError, QemuError
from harness.facts.kernel import KernelFacts
from harness.facts.records import CaseRecord, Ending
from harness.facts.session import SessionFacts
from harness.judge.cells import cells as cells_of
from harness.model.results import OutcomeKind, Stage, Start
from harness.run.one_kernel import batches, error_reason, facts_of, guest_of, run_kernel
from harness.scenario.case import AgentStep, Case
from harness.supply.guest_plan import GuestPlan
from harness.supply.pushed import Pushed, PushedFile

K = OutcomeKind
Boot = Callable[[GuestPlan, Sequence[Case]], SessionFacts]
ENVIRONMENT = {"release": RELEASE, "version": "#1 SMP Debian 6.1.176-1 (2026-07-02)", "libbpf": "v1.5"}


def cases(*names: str, **changes: Any) -> list[Case]:
    return [sample_case(id=name, **changes) for name in names]


def good(name: str) -> CaseRecord:
    lines = [{**line, "case": name} if "case" in line else line for line in golden_lines()]
    return record_of(renumbered(lines), name)


def silent(name: str) -> CaseRecord:
    """What is known of a case whose program was attached when its guest fell silent."""
    return CaseRecord(ending=Ending(kind=K.LOST, reason="the case deadline passed", step=(name, 1), silent=True))


TRIES = (
    AgentStep(stage=Stage.ATTACH_TARGET, op="attach", what="p"),
    AgentStep(stage=Stage.TRIGGER, op="workload"),
)


def asked(*silenced: int, tmp_path: Path) -> tuple[KernelFacts, list[Any]]:
    """The facts of cases of which `b` silences its guest, in the guests of these numbers; and what each guest got."""
    given: list[list[str]] = []

    def boot(plan: GuestPlan, pending: Sequence[Case]) -> SessionFacts:
        given.append([case.id for case in pending])
        records: dict[str, CaseRecord] = {}
        for case in pending:
            silenced_now = case.id == "b" and len(given) in silenced
            records[case.id] = silent(case.id) if silenced_now else good(case.id)
            if silenced_now:
                break
        return SessionFacts(environment=dict(ENVIRONMENT), records=records)

    tried = [Case(id=name, title="t", steps=TRIES) for name in "abc"]
    return run_kernel(guest_plan(tmp_path), tried, boot=boot), given


def test_a_case_that_silences_its_guest_is_asked_again(tmp_path: Path) -> None:
    facts, given = asked(1, tmp_path=tmp_path)
    assert given == [["a", "b", "c"], ["b", "c"]]
    assert (facts.records["b"].end is not None, facts.records["b"].again) == (True, True)
    assert not facts.records["a"].again and not facts.records["c"].again
    assert any("b had no answer while its program was attached" in notice for notice in facts.notices)


def test_one_that_does_so_twice_is_the_cause_and_the_others_have_their_answers(tmp_path: Path) -> None:
    facts, given = asked(1, 2, 3, tmp_path=tmp_path)
    assert given == [["a", "b", "c"], ["b", "c"], ["c"]]
    assert (facts.records["b"].ending is not None, facts.records["b"].again) == (True, True)
    assert facts.records["c"].end is not None


def test_a_guest_that_ends_by_a_shared_load_is_followed_by_one_that_shares_none(tmp_path: Path) -> None:
    shares: list[bool] = []

    def boot(plan: GuestPlan, pending: Sequence[Case]) -> SessionFacts:
        shares.append(plan.share)
        if plan.share:
            return SessionFacts(environment=dict(ENVIRONMENT), apart=True)
        return SessionFacts(environment=dict(ENVIRONMENT), records={case.id: good(case.id) for case in pending})

    facts = run_kernel(guest_plan(tmp_path), cases("a", "b"), boot=boot)
    assert (shares, set(facts.records)) == ([True, False], {"a", "b"})


class Guests:
    """Boots that are played: each runs the cases it gets until one kills the guest."""

    def __init__(self, *, killers: Sequence[str] = (), silent: bool = False) -> None:
        self.killers, self.silent = killers, silent
        self.given: list[list[str]] = []

    def __call__(self, plan: GuestPlan, pending: Sequence[Case]) -> SessionFacts:
        self.given.append([case.id for case in pending])
        silent = SessionFacts(seconds={"boot": 2.0, "cases": 0.5}, console_tail=(f"boot {len(self.given)}",))
        if self.silent:
            return silent
        records: dict[str, CaseRecord] = {}
        killer = next((case.id for case in pending if case.id in self.killers), None)
        for case in pending:
            if case.id == killer:
                ending = Ending(kind=K.CRASHED, reason="the kernel died: Oops", step=(case.id, 0))
                records[case.id] = CaseRecord(ending=ending)
                break
            records[case.id] = good(case.id)
        problems = () if killer is None else (f"{killer} killed it",)
        return replace(silent, environment=dict(ENVIRONMENT), records=records, problems=problems)


def test_cases_that_set_what_cannot_go_back_are_the_last_of_their_guest() -> None:
    name = "kernel.unprivileged_bpf_disabled"
    locked, opened = {name: 1}, {name: 0}
    wanted = [*cases("a", sysctls=locked), *cases("b", sysctls=opened), *cases("c", isolated=True), *cases("d")]
    assert [[case.id for case in batch] for batch in batches(wanted)] == [["b", "d", "a"], ["c"]]


def test_cases_after_one_that_spent_its_guest_get_another(tmp_path: Path) -> None:
    """The agent stops where the guest is not as it was before (`stopped`): the others have no records then."""
    boots = Guests()

    def boot(plan: GuestPlan, pending: Sequence[Case]) -> SessionFacts:
        return boots(plan, pending[:2])

    run = run_kernel(guest_plan(tmp_path), cases("a", "b", "c"), boot=boot)
    assert (boots.given, run.boots) == ([["a", "b"], ["c"]], 2)
    assert set(run.records) == {"a", "b", "c"}


def kinds(folder: Path, wanted: list[Case], boot: Boot) -> dict[str, OutcomeKind]:
    plan = guest_plan(folder)
    run = run_kernel(plan, wanted, boot=boot)
    return {cell.case: cell.outcome.kind for cell in cells_of(run, wanted)}


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

    def __call__(self, plan: GuestPlan, pending: Sequence[Case]) -> SessionFacts:
        if self.stumbles == 0:
            return super().__call__(plan, pending)
        self.stumbles -= 1
        self.given.append([case.id for case in pending])
        if self.stop:
            plan.stopping.set()
        ending = Ending(kind=K.LOST, reason="the boot deadline of 60 s passed")
        return SessionFacts(
            seconds={"boot": 60.0},
            console_tail=("silence",),
            records={case.id: CaseRecord(ending=ending) for case in pending},
            problems=("no answer",),
        )


def test_a_guest_that_does_not_come_up_is_booted_once_more_and_that_is_told(tmp_path: Path) -> None:
    guests, plan = Stumbling(stumbles=1), guest_plan(tmp_path)
    run = run_kernel(plan, cases("a", "b"), boot=guests)
    assert guests.given == [["a", "b"], ["a", "b"]]
    assert [cell.outcome.kind for cell in cells_of(run, cases("a", "b"))] == [K.WORKS, K.WORKS]
    assert run.notices == (
        "6.1-x86_64: the guest did not come up (the boot deadline of 60 s passed) and was booted again",
    )
    assert (run.boots, run.problems, run.seconds["boot"]) == (2, (), 62.0)


def test_a_guest_that_does_not_come_up_twice_is_lost(tmp_path: Path) -> None:
    guests, plan = Stumbling(stumbles=9), guest_plan(tmp_path)
    run = run_kernel(plan, cases("a", "b"), boot=guests)
    assert (run.boots, len(run.notices)) == (2, 1)
    found = cells_of(run, cases("a", "b"))
    assert {(cell.outcome.kind, cell.outcome.reason) for cell in found} == {
        (K.LOST, "the boot deadline of 60 s passed")
    }
    assert run.problems == ("no answer",)


def test_a_case_that_kills_its_guest_is_no_reason_to_run_it_again(tmp_path: Path) -> None:
    guests = Guests(killers=["a"])
    run = run_kernel(guest_plan(tmp_path), cases("a"), boot=guests)
    assert (guests.given, run.notices) == ([["a"]], ())


def test_no_guest_is_booted_again_once_the_run_is_stopping(tmp_path: Path) -> None:
    guests = Stumbling(stumbles=1, stop=True)
    run = run_kernel(guest_plan(tmp_path), cases("a"), boot=guests)
    assert (run.boots, run.notices) == (1, ())


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

    def boot(plan: GuestPlan, pending: Sequence[Case]) -> SessionFacts:
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

    def boot(plan: GuestPlan, pending: Sequence[Case]) -> SessionFacts:
        plan.stopping.set()
        return guests(plan, pending)

    run = run_kernel(plan, cases("a", "b"), boot=boot)
    assert guests.given == [["a", "b"]]
    assert [cell.outcome.kind for cell in cells_of(run, cases("a", "b"))] == [K.CRASHED, K.LOST]
    assert run_kernel(plan, cases("a"), boot=guests).boots == 0


def test_a_qemu_that_does_not_start_is_passed_on(tmp_path: Path) -> None:
    def boot(plan: GuestPlan, pending: Sequence[Case]) -> SessionFacts:
        raise QemuError("QEMU did not start")

    with pytest.raises(QemuError):
        run_kernel(guest_plan(tmp_path), cases("a"), boot=boot)


def test_what_the_guests_cost_is_added_up(tmp_path: Path) -> None:
    plan = guest_plan(tmp_path)
    known = facts_of(plan, qemu_version="7.2.9", fetch_seconds=1.25)
    run = run_kernel(plan, cases("a", "b"), boot=Guests(killers=["a"]), known=known)
    assert run.seconds == {"fetch": 1.25, "boot": 4.0, "cases": 1.0}
    assert (run.boots, run.problems, run.console_tail) == (2, ("a killed it",), ("boot 2",))
    assert (run.row.name, run.arch, run.release, run.version) == ("6.1-x86_64", "x86_64", RELEASE, "6.1.176-1")
    assert (run.accel, run.transport, run.qemu_version) == ("tcg", "network", "7.2.9")
    assert run.package is plan.kernel.package


def test_a_kernel_without_a_network_card_is_reached_over_a_serial_port(tmp_path: Path) -> None:
    assert facts_of(guest_plan(tmp_path, kernel=kernel_files(tmp_path, has_network=False))).transport == "serial"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FetchError("wrong hash"), "FetchError: wrong hash"),
        (MirrorError("no mirror"), "MirrorError: no mirror"),
        (OSError(28, "No space left on device"), "the host failed: [Errno 28] No space left on device"),
    ],
)
def test_an_error_becomes_a_reason(error: Any, reason: str) -> None:
    assert error_reason(error) == reason


# --- how the guests were started, and what they took ------------------------------------------------------------------


def test_it_is_known_of_every_case_how_its_own_guest_was_started(tmp_path: Path) -> None:
    """The first guest is restored and dies in `b`; the one for the rest is booted."""
    guests = Guests(killers=["b"])
    starts = [Start.WARM, Start.COLD]

    def boot(plan: GuestPlan, pending: Sequence[Case]) -> SessionFacts:
        start, memory = starts.pop(0), 100.0 + 50 * len(starts)
        return replace(guests(plan, pending), start=start, memory=memory, notices=(f"noted with {start}",))

    plan, wanted = guest_plan(tmp_path), cases("a", "b", "c")
    run = run_kernel(plan, wanted, boot=boot)
    assert run.starts == {"a": Start.WARM, "b": Start.WARM, "c": Start.COLD}
    assert {cell.case: cell.start for cell in cells_of(run, wanted)} == run.starts
    assert run.notices == ("noted with warm", "noted with cold")
    assert run.memory == 150.0, "the most that one of them took"
    assert run.boots == 2


def test_a_guest_of_a_cases_own_has_what_the_case_asks_for_and_brings(tmp_path: Path) -> None:
    archive = tmp_path / "packages.cpio"
    archive.write_bytes(bytes(2**20))
    small = PushedFile(path="/root/small", mode=0o100755, size=1000)
    large = PushedFile(path="/root/large", mode=0o100755, size=10 * 2**20)
    pushed = {"small": Pushed(files=(small,), archives=(archive,)), "large": Pushed(files=(small, large))}
    plan = guest_plan(tmp_path, pushed=pushed, cmdline="a")

    def own(case: Case) -> tuple[Any, ...]:
        made = guest_of(plan, case)
        return made.settings.memory, made.settings.cpus, made.cmdline, made.files, made.archives

    assert own(sample_case(id="large")) == (256, 1, "a", (), ()), "it shares its guest"
    assert own(sample_case(id="other", cmdline="b")) == (256, 1, "a b", (), ())
    assert own(sample_case(id="small", isolated=True)) == (259, 1, "a", (), (archive,))
    assert own(sample_case(id="large", isolated=True)) == (256 + 31, 1, "a", (small, large), ())
    assert own(replace(sample_case(id="x"), memory=512, cpus=2)) == (512, 2, "a", (), ())
    assert own(replace(sample_case(id="x"), memory=64)) == (256, 1, "a", (), ()), "no less than the kernel's"
    libbpf = tmp_path / "libbpf.cpio"
    plan = replace(plan, archives=(libbpf,))
    assert own(sample_case(id="small", isolated=True))[-1] == (libbpf, archive), "that of the row comes first"
    assert own(sample_case(id="large"))[-1] == own(sample_case(id="other", cmdline="b"))[-1] == (libbpf,)
