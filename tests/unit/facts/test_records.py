from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.facts.records import TAIL_LINES, ending_of
from harness.model.results import OutcomeKind

PANIC = (
    "[    3.1] BUG: kernel NULL pointer dereference, address: 0000000000000010\n"
    "[    3.2] Kernel panic - not syncing: Fatal exception in interrupt\n"
)


def kind_of(*, console: str = "", reason: str | None = None, gone: bool = True) -> OutcomeKind:
    return ending_of(what="waiting", console=console, qemu_reason=reason, qemu_gone=gone).kind


# QEMU's exit code is 0 in all of these: it is no evidence of anything, so `ending_of` never sees it.
@pytest.mark.parametrize(
    ("console", "reason", "gone", "kind"),
    [
        pytest.param(PANIC, "guest-reset", True, OutcomeKind.CRASHED, id="a panic resets the machine"),
        pytest.param(PANIC, None, True, OutcomeKind.CRASHED, id="a panic, and the monitor said nothing"),
        pytest.param(PANIC, None, False, OutcomeKind.CRASHED, id="an oops, then a deadlock"),
        pytest.param("", "guest-reset", True, OutcomeKind.CRASHED, id="a triple fault on a silent console"),
        pytest.param("", "guest-panic", True, OutcomeKind.CRASHED, id="a panic told by the machine"),
        pytest.param("", "guest-shutdown", True, OutcomeKind.LOST, id="powered off before its time"),
        pytest.param("", "host-qmp-quit", True, OutcomeKind.LOST, id="ended from outside"),
        pytest.param("", None, True, OutcomeKind.LOST, id="QEMU died"),
        pytest.param("login:", None, False, OutcomeKind.LOST, id="a hang without a word"),
        pytest.param("", "guest-reset", False, OutcomeKind.LOST, id="a reset that did not end QEMU"),
    ],
)
def test_a_dead_kernel_is_told_from_every_other_silence(
    console: str, reason: str | None, gone: bool, kind: OutcomeKind
) -> None:
    assert kind_of(console=console, reason=reason, gone=gone) == kind


def test_the_kernels_own_line_is_the_reason() -> None:
    ending = ending_of(what="waiting", console=PANIC, qemu_reason="guest-reset", qemu_gone=True)
    assert ending.reason == "the kernel died: BUG: kernel NULL pointer dereference, address: 0000000000000010"


def test_a_reset_without_a_word_says_so() -> None:
    ending = ending_of(what="waiting", console="booting\n", qemu_reason="guest-reset", qemu_gone=True)
    assert "without any text" in ending.reason
    assert ending.reset == "guest-reset"
    assert ending.console_tail == ("booting",)


def test_what_was_waited_for_and_qemus_words_are_in_the_reason() -> None:
    ending = ending_of(what="the boot deadline of 60 s passed", console="", qemu_reason=None, qemu_gone=False)
    assert ending.reason == "the boot deadline of 60 s passed"
    ending = ending_of(what="booting", console="", qemu_reason=None, qemu_gone=True, qemu_words="killed by signal 9")
    assert ending.reason == "booting: killed by signal 9"
    ending = ending_of(what="booting", console="", qemu_reason=None, qemu_gone=True)
    assert ending.reason == "booting: QEMU ended (no reason given)"


def test_the_tail_is_the_end_of_the_console() -> None:
    lines = [f"line {number}" for number in range(1000)]
    ending = ending_of(what="w", console="\n".join(lines), qemu_reason=None, qemu_gone=False)
    assert ending.console_tail == tuple(lines[-TAIL_LINES:])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_step_that_began_last_is_known_from_the_console(end: str) -> None:
    lines = ["bpfmatrix: step xdp 3", "[    1.5] some words", "bpfmatrix: step sk-lookup 12", PANIC.splitlines()[0], ""]
    ending = ending_of(what="w", console=end.join(lines), qemu_reason="guest-reset", qemu_gone=True)
    assert ending.step == ("sk-lookup", 12)
    assert not [line for line in ending.console_tail if "bpfmatrix: step" in line], "the guest's own words are wanted"
    assert "[    1.5] some words" in ending.console_tail


def test_of_a_scenarios_step_the_console_says_what_it_is() -> None:
    line = "bpfmatrix: step mine 4 attach-tracer attach fexit #2"
    ending = ending_of(what="w", console=f"{line}\n", qemu_reason=None, qemu_gone=False)
    assert (ending.step, ending.announced) == (("mine", 4), "attach-tracer attach fexit #2")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "bpfmatrix: step xdp",
        "bpfmatrix: step xdp 1[ 1.0] x",
        "bpfmatrix: step xdp 1 [ 1.0] x",
        "x bpfmatrix: step xdp 1",
    ],
)
def test_what_is_no_mark_of_a_step_tells_no_step(line: str) -> None:
    assert ending_of(what="w", console=f"{line}\n", qemu_reason=None, qemu_gone=False).step is None


@given(st.text(), st.sampled_from([None, "guest-reset", "guest-shutdown", "x"]), st.booleans())
def test_no_ending_is_a_good_one(console: str, reason: str | None, gone: bool) -> None:
    ending = ending_of(what="w", console=console, qemu_reason=reason, qemu_gone=gone)
    assert ending.kind in (OutcomeKind.CRASHED, OutcomeKind.LOST)
    assert ending.reason
    assert len(ending.console_tail) <= TAIL_LINES


STEP = "bpfmatrix: step harmful/kill 3\n"


@pytest.mark.parametrize(
    ("ended", "console", "gone", "killed"),
    [
        (True, STEP, False, True),
        (False, STEP, False, False),
        (True, STEP, True, False),
        (True, f"{STEP}{PANIC}", False, False),
        (True, f"{STEP}[ 3.1] Out of memory: Killed process 77 (python3)\n", False, False),
        (True, f"{STEP}Traceback (most recent call last):\n", False, False),
        (True, f"{STEP}[ 3.1] python3[77]: segfault at 10 ip 00\n", False, False),
        (True, f"{STEP}Traceback (most recent call last):\n  File x\nBrokenPipeError: [Errno 32]\n", False, True),
        (True, f"Traceback (most recent call last):\n{STEP}", False, True),
    ],
)
def test_an_agent_that_is_killed_is_one_that_has_made_no_mistake(
    ended: bool, console: str, gone: bool, killed: bool
) -> None:
    ending = ending_of(what="ended", console=console, qemu_reason=None, qemu_gone=gone, agent_ended=ended)
    assert ending.agent_killed == ending.silent == killed
    unanswered = ending_of(what="a deadline", console=console, qemu_reason=None, qemu_gone=gone, unanswered=True)
    assert unanswered.silent == (not gone and PANIC not in console), "no panic, and QEMU goes on"
    again = ending_of(what="MemoryError", console=console, qemu_reason=None, qemu_gone=gone, agent_ended=ended)
    assert not again.agent_killed
