"""One guest from boot to power-off: the order, every way to end, and what a session gives then."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from played_guest import PlayedConnection, PlayedQemu, plan_of, session_with
from unit_samples import (
    CASE_ID,
    RELEASE,
    X86,
    encoded,
    golden_bytes,
    golden_lines,
    kernel_files,
    renumbered,
    sample_case,
)

from harness.errors import DeadlineError, GuestConnectionError, GuestGoneError, QemuError
from harness.facts.records import Ending
from harness.facts.session import SessionFacts
from harness.guest.session import run_session
from harness.model.architectures import ARCHITECTURES
from harness.model.phases import Phase
from harness.model.results import OutcomeKind
from harness.model.settings import Deadlines, Settings
from harness.qemu.process import Death
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan

WHOLE = golden_bytes()
HELLO = WHOLE.partition(b"\n")[0] + b"\n"
WHOLE_CASE = WHOLE[: WHOLE.index(b'"type": "done"')].rpartition(b"\n")[0] + b"\n"
"""All of it but the last line."""
OFF = Death(reason="guest-shutdown", returncode=0, stderr="")
RESET = Death(reason="guest-reset", returncode=0, stderr="")
KILLED = Death(reason=None, returncode=-9, stderr="")
FAILED = Death(reason=None, returncode=1, stderr="no")
SILENT = Death(reason=None, returncode=0, stderr="")
CASES = (sample_case(), sample_case(id="another"))
CRASHED, LOST = OutcomeKind.CRASHED, OutcomeKind.LOST


def lines_until(*, phase: str) -> bytes:
    """What the agent has written before it comes to a phase of the case."""
    return WHOLE[: WHOLE.index(f'"phase": "{phase}"'.encode())]


def session(
    folder: Path,
    data: bytes = WHOLE,
    *,
    qemu: PlayedQemu | None = None,
    connection: PlayedConnection | Exception | None = None,
    cases: Sequence[Case] = CASES[:1],
    **plan: Any,
) -> SessionFacts:
    qemu = qemu or PlayedQemu(death=OFF)
    return session_with(qemu, connection or PlayedConnection(data), plan_of(folder / "r", cases, **plan), cases)


def ending(result: SessionFacts, case: str = CASE_ID) -> Ending:
    found = result.records[case].ending
    assert found is not None, "the case has its completion marker"
    return found


# --- a guest that does all that it should ----------------------------------------------------------------------------


def test_a_guest_is_started_reached_given_its_job_heard_to_the_end_and_powered_off(tmp_path: Path) -> None:
    qemu = PlayedQemu(death=OFF)
    result = session(tmp_path, qemu=qemu)
    order = ["start", "connect", "push", "lines", "note memory", "release", "close", "end"]
    assert qemu.done == order, "its memory is known while it is still there, and it powers off when it is released"
    assert (list(result.records), result.problems, result.notices) == ([CASE_ID], (), ())
    assert result.records[CASE_ID].end is not None
    assert result.environment["release"] == RELEASE
    assert result.boot_log.lines == tuple(golden_lines()[0]["kernel_log"])


def test_the_phases_of_a_guest_and_its_memory_are_known(tmp_path: Path) -> None:
    connection = PlayedConnection(WHOLE)
    connection.handshake_seconds = 1000.0
    result = session(tmp_path, connection=connection)
    assert list(result.seconds) == ["start", "boot", "connect", "push", "agent", "cases", "shutdown"]
    assert result.seconds["connect"] == 1000.0
    assert result.seconds["boot"] < -900, "the handshake is not counted twice"
    assert result.memory == 150.0


def test_the_agents_lines_are_kept_for_the_results(tmp_path: Path) -> None:
    session(tmp_path)
    assert (tmp_path / "r/agent.jsonl").read_bytes() == WHOLE
    assert encoded(golden_lines()) == WHOLE.splitlines()
    session(tmp_path)
    assert (tmp_path / "r/agent.jsonl").read_bytes() == WHOLE * 2, "those of the next guest come after them"


@pytest.mark.parametrize("has_agent", [False, True], ids=["booted", "restored"])
def test_the_agent_is_sent_to_a_guest_that_has_none_yet(tmp_path: Path, has_agent: bool) -> None:
    connection = PlayedConnection(WHOLE)
    plan = plan_of(tmp_path / "r", CASES[:1])
    plan = replace(plan, programs=replace(plan.programs, agent=b"the agent"))
    session_with(PlayedQemu(death=OFF, has_agent=has_agent), connection, plan, CASES[:1])
    (parcel,) = map(zlib.decompress, connection.pushed)
    assert (b"the agent" in parcel) == (not has_agent)
    head = json.loads(parcel.partition(b"\n")[0])
    assert [case["id"] for case in head["job"]["cases"]] == [CASE_ID]


# --- a guest that ends too soon --------------------------------------------------------------------------------------

UNREACHED = {
    "boot deadline": (DeadlineError("boot", 60, "waiting for SSH"), None, LOST, "the boot deadline of 60 s passed"),
    "wrong answers": (GuestConnectionError("SSH answers wrongly"), None, LOST, "SSH answers wrongly"),
    "reset": (GuestGoneError("QEMU ended"), RESET, CRASHED, "the kernel reset the machine without any text"),
    "killed": (GuestGoneError("QEMU ended"), KILLED, LOST, "QEMU ended: QEMU was killed by SIGKILL"),
}


@pytest.mark.parametrize("what", UNREACHED)
def test_a_guest_that_is_never_reached_is_the_end_of_all_its_cases(tmp_path: Path, what: str) -> None:
    failure, death, kind, reason = UNREACHED[what]
    result = session(tmp_path, qemu=PlayedQemu(death=death), connection=failure, cases=CASES)
    assert {case: ending(result, case).kind for case in result.records} == {case.id: kind for case in CASES}
    assert ending(result).reason.startswith(reason)
    assert list(result.seconds) == ["start", "boot"]
    assert (result.environment, result.problems) == ({}, ())


def test_what_a_dying_kernel_says_is_the_reason_and_kept(tmp_path: Path) -> None:
    qemu = PlayedQemu(console="Oops: 0000 [#1]\nKernel panic - not syncing: x\n", death=RESET)
    result = session(tmp_path, qemu=qemu, connection=GuestGoneError("QEMU ended"))
    assert (ending(result).kind, ending(result).reason) == (CRASHED, "the kernel died: Oops: 0000 [#1]")
    assert result.console_tail == ("Oops: 0000 [#1]", "Kernel panic - not syncing: x")


def test_a_guest_that_dies_in_a_case_is_the_end_of_that_case_and_the_next_is_not_reached(tmp_path: Path) -> None:
    qemu = PlayedQemu(death=RESET)
    broken = PlayedConnection(lines_until(phase="control"), GuestConnectionError("the connection broke"))
    result = session(tmp_path, qemu=qemu, connection=broken, cases=CASES)
    assert list(result.records) == [CASE_ID]
    assert ending(result) == Ending(
        kind=CRASHED,
        reason="the kernel reset the machine without any text on its console (as a triple fault does)",
        reset="guest-reset",
    )
    assert qemu.done[-3:] == ["close", "wait for QEMU", "end"], "a dying kernel takes a moment to reset the machine"


def test_a_case_that_runs_into_its_deadline_is_lost_and_a_guest_that_is_silent_is_not_waited_for(
    tmp_path: Path,
) -> None:
    qemu = PlayedQemu(console="a line\n")
    silent = PlayedConnection(lines_until(phase="control"), DeadlineError("case", 30, f"running {CASE_ID}"))
    result = session(tmp_path, qemu=qemu, connection=silent)
    assert (ending(result).kind, ending(result).reason) == (
        LOST,
        f"the case deadline of 30 s passed while running {CASE_ID}",
    )
    assert result.console_tail == ("a line",)
    assert "wait for QEMU" not in qemu.done


def test_a_guest_that_is_too_slow_to_take_its_job_meets_the_deadline(tmp_path: Path) -> None:
    """Each case has its own; before the first, that of all cases counts, with 5 seconds of grace."""
    settings = Settings(memory=256, cpus=1, deadlines=Deadlines(case=-5))
    result = session(tmp_path, settings=settings)
    assert ending(result).reason.startswith("the case deadline of -5 s passed while waiting for the agent")


def test_a_job_that_is_not_taken_within_the_deadline_is_no_broken_connection(tmp_path: Path) -> None:
    class Slow(PlayedConnection):
        def push(self, data: bytes, path: str, *, seconds: float, clock: Callable[[], float]) -> None:
            time.sleep(0.1)
            raise GuestConnectionError("the push broke")

    settings = Settings(memory=256, cpus=1, deadlines=Deadlines(case=-4.95))
    result = session(tmp_path, settings=settings, connection=Slow(b""))
    assert ending(result).reason.startswith("the case deadline of -4.95 s passed while waiting for the agent")


def test_a_guest_that_the_host_does_not_let_run_loses_no_time(tmp_path: Path) -> None:
    class Starved(PlayedQemu):
        def clock(self) -> float:
            return 7.0

    class Slow(PlayedConnection):
        def push(self, data: bytes, path: str, *, seconds: float, clock: Callable[[], float]) -> None:
            time.sleep(0.1)
            assert clock() == 7.0, "the push has its deadline by the same clock"
            super().push(data, path, seconds=seconds, clock=clock)

    settings = Settings(memory=256, cpus=1, deadlines=Deadlines(case=-4.95))
    result = session(tmp_path, settings=settings, qemu=Starved(death=OFF), connection=Slow(WHOLE))
    assert result.records[CASE_ID].end is not None


def test_a_connection_that_breaks_while_the_job_is_sent_is_lost(tmp_path: Path) -> None:
    result = session(tmp_path, connection=PlayedConnection(b"", unpushed=GuestConnectionError("the push broke")))
    assert ending(result).kind == LOST
    assert ending(result).reason.startswith("the push broke")
    assert "agent" not in result.seconds, "a phase that was not reached is missing"


def test_a_guest_that_answers_with_nothing_is_lost_at_once(tmp_path: Path) -> None:
    """What images/init does where the service has died: whoever asks gets an empty answer."""
    result = session(tmp_path, b"")
    assert ending(result).reason.startswith("the agent ended without its completion marker")
    assert "cases" not in result.seconds, "a phase that was not reached is missing"


def test_what_the_agent_wrote_as_it_ended_is_in_the_reason(tmp_path: Path) -> None:
    said = b"x" * 1000 + b"\nMemoryError: no more\n"
    result = session(tmp_path, connection=PlayedConnection(b"", said=said))
    assert "completion marker: xxx" in ending(result).reason
    assert "MemoryError: no more" in ending(result).reason
    assert len(ending(result).reason) < 700, "the end of it"


def test_lines_that_are_not_the_agents_end_the_session(tmp_path: Path) -> None:
    hello, _, rest = WHOLE.partition(b"\n")
    result = session(tmp_path, hello + b"\n{junk\n" + rest)
    assert ending(result).kind == LOST
    assert not ending(result).agent_killed, "it wrote something, and still may"
    assert result.environment["release"] == RELEASE


def test_a_guest_that_ends_while_an_object_is_loaded_for_several_cases_says_nothing_of_any(tmp_path: Path) -> None:
    """Neither of the first, which had not begun, nor of one that has an answer."""
    broken = GuestConnectionError("the connection broke")
    for lines, known in ((HELLO, set()), (WHOLE_CASE, {CASE_ID})):
        dead = PlayedQemu(console=f"bpfmatrix: step {CASE_ID} 3\nbpfmatrix: step .shared 0\n", death=RESET)
        result = session(tmp_path, qemu=dead, connection=PlayedConnection(lines, broken))
        assert (set(result.records), result.apart, result.problems) == (known, True, ())
        assert "from then on each is loaded by itself" in result.notices[0]


def test_a_guest_that_dies_after_its_last_case_is_a_problem_and_no_case_of_it_is_lost(tmp_path: Path) -> None:
    result = session(tmp_path, connection=PlayedConnection(WHOLE_CASE, GuestConnectionError("the connection broke")))
    assert result.records[CASE_ID].ending is None
    (problem,) = result.problems
    assert problem.startswith(f"after {CASE_ID}: the connection broke")


# --- a guest that is not the right one -------------------------------------------------------------------------------


def test_another_kernel_than_the_one_that_was_booted_answers_nothing(tmp_path: Path) -> None:
    kernel = kernel_files(tmp_path, release="6.1.0-51-cloud-amd64")
    result = session(tmp_path, qemu=PlayedQemu(console=f"bpfmatrix: step {CASE_ID} 3\n"), kernel=kernel)
    assert ending(result).kind == LOST
    assert f"runs {RELEASE}, but 6.1.0-51-cloud-amd64 was booted for 6.1-x86_64" in ending(result).reason
    assert ending(result).step is None, "what a wrong kernel was doing meanwhile does not matter"


def test_a_kernel_of_no_known_release_is_taken_at_its_word(tmp_path: Path) -> None:
    result = session(tmp_path, kernel=kernel_files(tmp_path, release=""))
    assert result.records[CASE_ID].ending is None


FAST = WHOLE.replace(b'"uptime": 3.21', b'"uptime": 1e12')


def test_a_booted_guest_whose_clock_is_too_fast_answers_nothing(tmp_path: Path) -> None:
    result = session(tmp_path, FAST)
    assert ending(result).reason.startswith("the guest's clock says that it is up for 1000000000000.00 s")
    assert result.environment == {}, "so it is as if the guest had not come up"


def test_a_restored_guest_may_be_older_than_its_qemu(tmp_path: Path) -> None:
    result = session(tmp_path, FAST, qemu=PlayedQemu(death=OFF, has_agent=True))
    assert result.records[CASE_ID].ending is None


# --- powering off ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("death", "problem"),
    [
        (OFF, ""),
        (Death(reason="guest-reset", returncode=0, stderr=""), "while powering off: the kernel reset the machine"),
        (
            Death(reason=None, returncode=1, stderr="no"),
            "while powering off: powering off: QEMU ended with exit code 1",
        ),
        (Death(reason=None, returncode=0, stderr=""), "while powering off: powering off: QEMU ended with exit code 0"),
    ],
)
def test_a_guest_that_ends_otherwise_than_by_powering_off_is_a_problem(
    tmp_path: Path, death: Death, problem: str
) -> None:
    result = session(tmp_path, qemu=PlayedQemu(death=death))
    assert result.records[CASE_ID].ending is None, "its case has its answer all the same"
    assert len(result.problems) == bool(problem)
    assert all(problem in each for each in result.problems)


def test_a_machine_that_powers_off_in_silence_may(tmp_path: Path) -> None:
    """QEMU ends without a word there; elsewhere that is a problem."""
    kernel = kernel_files(tmp_path, arch=next(arch for arch in ARCHITECTURES.values() if arch.silent_poweroff))
    assert session(tmp_path, qemu=PlayedQemu(death=SILENT), kernel=kernel).problems == ()
    assert not X86.silent_poweroff


def test_a_guest_that_does_not_power_off_in_time_is_a_problem(tmp_path: Path) -> None:
    settings = Settings(memory=256, cpus=1, deadlines=Deadlines(shutdown=0.01))
    result = session(tmp_path, qemu=PlayedQemu(), settings=settings)
    assert result.problems == ("the shutdown deadline of 0.01 s passed; QEMU was ended",)


def test_a_guest_that_cannot_be_started_is_raised(tmp_path: Path) -> None:
    """All other ways to end are in what the session gives."""

    def unstartable(plan: GuestPlan) -> NoReturn:
        raise QemuError("QEMU did not start")

    with pytest.raises(QemuError, match="did not start"):
        run_session(plan_of(tmp_path / "r", CASES), CASES, start=unstartable)


def test_the_cases_after_one_that_wants_another_guest_are_not_reached_and_a_notice_says_so(tmp_path: Path) -> None:
    lines = golden_lines()
    lines[-1] = {**lines[-1], "stopped": "this guest cannot take more cases"}
    result = session(tmp_path, b"\n".join(encoded(lines)) + b"\n", cases=CASES)
    assert list(result.records) == [CASE_ID]
    assert result.notices == ("6.1-x86_64: this guest cannot take more cases; the cases after it had another guest",)


def test_what_commands_write_is_passed_on_and_a_visit_comes_before_the_end(tmp_path: Path) -> None:
    begun = {"type": "case", "case": CASE_ID, "kernel_log": [], "kernel_log_lost": 0}
    lines = [golden_lines()[0], begun]
    lines += [{"type": "output", "case": CASE_ID, "text": text} for text in ("one\n", "two")]
    ended: dict[str, Any] = {
        "complete": True,
        "signal": None,
        "timed_out": False,
        "step": None,
        "left": [],
        "seconds": 0.1,
    }
    lines.append({**begun, **ended, "type": "case-end"})
    lines.append({**begun, "type": "done", "cases": 1, "left": [], "stopped": None, "lines": 6})
    heard: list[str] = []
    visited: list[Any] = []
    qemu = PlayedQemu(death=OFF)

    def visit(kernel: str, cases: Sequence[Case], transcript: Any, connection: Any) -> None:
        assert connection is not None
        visited.append((kernel, [case.id for case in cases], transcript.record(CASE_ID).output, "release" in qemu.done))

    result = session(tmp_path, b"\n".join(encoded(renumbered(lines))), qemu=qemu, output=heard.append, visit=visit)
    assert heard == ["one\n", "two"]
    ((kernel, ids, output, over),) = visited
    assert (ids, [line["text"] for line in output], over) == ([CASE_ID], heard, False)
    assert kernel
    assert [line["text"] for line in result.records[CASE_ID].output] == heard


def test_each_phase_and_case_is_said_when_it_begins(tmp_path: Path) -> None:
    said: list[tuple[Phase, str]] = []
    session(tmp_path, at=lambda phase, case: said.append((phase, case)))
    assert said == [
        *((phase, "") for phase in (Phase.START, Phase.BOOT, Phase.PUSH, Phase.AGENT, Phase.CASES)),
        (Phase.CASES, CASE_ID),
        (Phase.SHUTDOWN, ""),
    ]
