"""A transcript that is cut anywhere never works: the whole way from the guest's lines to the cell."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outcome_samples import WORKS, K
from played_guest import session_of
from unit_samples import (
    CASE_ID,
    golden_bytes,
    guest_plan,
    sample_case,
)

from harness.errors import DeadlineError, GuestConnectionError
from harness.judge.cells import cells as cells_of
from harness.judge.outcome import outcome_of
from harness.judge.verdict import judge
from harness.model.results import Outcome, Verdict
from harness.run.one_kernel import run_kernel

# --- a transcript cut anywhere, through the whole way from the guest's lines to the cell ------------------------------


def cell_of(folder: Path, data: bytes, **keys: Any) -> Outcome:
    """Run a whole kernel whose guests write `data`, and return its one cell's outcome."""
    cases = [sample_case()]
    plan = guest_plan(folder)
    run = run_kernel(plan, cases, boot=lambda plan, pending: session_of(folder / "r", data, **keys))
    (cell,) = cells_of(run, cases)
    return cell.outcome


WHOLE = golden_bytes()


MARKER = WHOLE.index(b'"type": "case-end"')


ANSWERED = WHOLE.index(b"\n", MARKER)
"""Where the case's completion marker ends; before it there is no answer."""


FAILURES = [None, GuestConnectionError("broke"), DeadlineError("case", 30, "running it")]


DEATHS = [(None, ""), ("guest-reset", ""), ("guest-reset", "Kernel panic - not syncing: x"), ("guest-shutdown", "")]


def test_a_whole_transcript_works_through_the_session(tmp_path: Path) -> None:
    assert cell_of(tmp_path, WHOLE, reason="guest-shutdown").kind == K.WORKS


def test_a_guest_whose_clock_is_too_fast_is_booted_again_and_its_answers_do_not_count(tmp_path: Path) -> None:
    """What it waited for was waited for too short."""
    wrong = WHOLE.replace(b'"uptime": 3.21', b'"uptime": 1e12')
    plan, cases = guest_plan(tmp_path), [sample_case()]
    answers = iter([wrong, WHOLE])
    run = run_kernel(plan, cases, boot=lambda plan, pending: session_of(tmp_path / "r", next(answers)))
    (cell,) = cells_of(run, cases)
    assert (cell.outcome.kind, run.boots) == (K.WORKS, 2)
    (notice,) = run.notices
    assert "the guest's clock says that it is up for 1000000000000.00 s" in notice
    assert cell_of(tmp_path, wrong).kind == K.LOST


BOUNDARIES = [index for index, byte in enumerate(WHOLE[: ANSWERED + 1]) if byte == ord("\n")]


@pytest.mark.parametrize("failure", FAILURES, ids=["ended", "broke", "deadline"])
def test_a_transcript_cut_around_any_line_end_never_works(tmp_path: Path, failure: Exception | None) -> None:
    for boundary in [0, *BOUNDARIES]:
        for cut in range(boundary - 1, boundary + 3):
            if 0 <= cut < ANSWERED:
                found = cell_of(tmp_path, WHOLE[:cut], failure=failure, reason="guest-shutdown")
                assert found.kind == K.LOST, WHOLE[:cut][-60:]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(min_value=0, max_value=ANSWERED - 1),
    failure=st.sampled_from(FAILURES),
    death=st.sampled_from(DEATHS),
)
def test_a_transcript_cut_at_any_byte_never_works(
    tmp_path: Path, cut: int, failure: Exception | None, death: tuple[str | None, str]
) -> None:
    reason, console = death
    found = cell_of(tmp_path, WHOLE[:cut], failure=failure, reason=reason, console=console)
    died = "panic" in console or reason == "guest-reset"
    begun = b'"type": "step"' in WHOLE[: WHOLE.rfind(b"\n", 0, cut) + 1]
    assert found.kind == (K.CRASHED if died and begun else K.LOST)
    assert judge(found, WORKS)[0] in (Verdict.FAIL, Verdict.ERROR)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(min_value=0, max_value=29), min_size=1, max_size=29))
def test_a_transcript_without_some_of_its_lines_never_works(tmp_path: Path, dropped: set[int]) -> None:
    lines = [line for index, line in enumerate(WHOLE.splitlines(keepends=True)) if index not in dropped]
    assert cell_of(tmp_path, b"".join(lines), reason="guest-shutdown").kind == K.LOST


def test_a_marker_without_the_final_count_still_answers_the_case_and_is_told(tmp_path: Path) -> None:
    result = session_of(tmp_path / "r", WHOLE[: ANSWERED + 1], reason="guest-shutdown")
    assert outcome_of(sample_case(), result.records[CASE_ID]).kind == K.WORKS
    assert [problem for problem in result.problems if "without its completion marker" in problem]


def test_the_wrong_kernel_is_never_judged(tmp_path: Path) -> None:
    other = WHOLE.replace(b'"release": "6.1.0-50-cloud-amd64"', b'"release": "6.1.0-49-cloud-amd64"')
    found = cell_of(tmp_path, other, reason="guest-shutdown")
    assert found.kind == K.LOST
    assert "6.1.0-49-cloud-amd64" in found.reason
    assert "6.1.0-50-cloud-amd64 was booted" in found.reason


def test_a_kernel_that_resets_while_powering_off_is_told(tmp_path: Path) -> None:
    result = session_of(tmp_path / "r", WHOLE, reason="guest-reset")
    assert outcome_of(sample_case(), result.records[CASE_ID]).kind == K.WORKS
    assert [problem for problem in result.problems if "while powering off: the kernel reset" in problem]
