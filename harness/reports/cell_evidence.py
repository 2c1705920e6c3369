"""The evidence of one cell as report.html opens it: labelled sentences, blocks of text, events, parts. Pure.

All leaves are texts, so that packing.py can have each of them once. Keys that would be empty are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.answers.explain import Again, deciding_line
from harness.answers.seen import Place
from harness.model.results import (
    CAUSES,
    WHO,
    CellResult,
    KernelResult,
    Outcome,
    OutcomeKind,
    PartResult,
    Stage,
    Start,
)
from harness.reports import wording
from harness.reports.events import event_lines
from harness.reports.parts import MEASURED, parts_table
from harness.reports.text import one_line

Evidence = dict[str, Any]
"""Lists and dictionaries, whose leaves are texts."""

GUESTS = {Start.COLD: "booted", Start.WARM: "restored from a snapshot"}
STOPPED, DONE = "stopped", "done"
"""What became of a stage."""


def of_cell(cell: CellResult, *, again: Again) -> Evidence:
    """Return the evidence of a cell, with the commands that run it, and its parts, again."""
    table = parts_table(cell.parts)
    return _without_empty(
        {
            **_of_outcome(cell),
            "expected": _pairs(_expected(cell)),
            "columns": table.columns if table else (),
            "rows": table.rows if table else (),
            "parts": [_of_part(part, again.of(place(cell, part))) for part in cell.parts],
            "again": again.of(place(cell)),
        }
    )


def of_kernel(kernel: KernelResult) -> Evidence:
    """Return what is known of a kernel beside its cells."""
    return _without_empty(
        {
            "facts": _pairs(_of_kernel(kernel)),
            "blocks": _blocks([("The last lines of its last guest's console", "\n".join(kernel.console_tail), "")]),
        }
    )


def place(cell: CellResult, part: PartResult | None = None) -> Place:
    """Return the place of a cell, or of a part of it."""
    return Place(kernel=cell.kernel, case=cell.case, part=part.name if part else "")


def _of_part(part: PartResult, again: str) -> Evidence:
    own = {"name": part.name, "about": part.about, "verdict": str(part.verdict), "again": again}
    return _without_empty({**own, **_of_outcome(part)})


def _of_outcome(judged: CellResult | PartResult) -> Evidence:
    outcome = judged.outcome
    return {
        "facts": _pairs(_facts(judged)),
        "stages": _stages(outcome),
        "differences": [each.text for each in outcome.differences],
        "blocks": _blocks(_texts(outcome)),
        "events": event_lines(outcome.events),
    }


def _expected(cell: CellResult) -> Iterator[tuple[str, str]]:
    expectation = cell.expectation
    yield "Expected", wording.expected_outcome(expectation)
    yield "Because", expectation.reason
    yield "Source", expectation.source
    yield "Rule for", wording.covered(expectation)


def _facts(judged: CellResult | PartResult) -> Iterator[tuple[str, str]]:
    """Yield what an outcome and its verdict say, each with its label; "" where there is nothing."""
    outcome = judged.outcome
    who = f"{wording.brief(outcome)}, by {WHO[outcome.origin]}" if outcome.origin else wording.brief(outcome)
    yield "Happened", who
    yield "Because", outcome.reason
    yield "Verdict", judged.verdict_reason if judged.verdict_reason != outcome.reason else ""
    yield "Advice", outcome.advice
    yield "Candidates", "; ".join(outcome.candidates)
    yield "In the step", outcome.step
    yield "Errno", wording.errno(outcome)
    yield "Asked", wording.asked(outcome)
    yield "Mark", f"{outcome.mark}: {outcome.mark_reason}" if outcome.mark else ""
    yield "Not there", f"{CAUSES.get(outcome.cause, outcome.cause)} {outcome.cause_name}".strip()
    yield "Reset", outcome.reset
    yield "Fault", f"of the {outcome.fault}" if outcome.fault else ""
    for splat in outcome.allowed_splats:
        yield "Allowed splat", wording.allowed_splat(splat)
    yield "XDP", ", ".join(f"{link}: {mode}" for link, mode in outcome.xdp.items())
    for over in outcome.over_budget:
        yield "Over budget", over.text
    yield "Measured", _measured(outcome.measured)
    for program, measured in outcome.programs.items():
        yield program, _measured(measured)
    yield "Took", "" if outcome.seconds is None else wording.duration(outcome.seconds)
    if isinstance(judged, CellResult) and judged.start:
        yield "Guest", f"{GUESTS[judged.start]}{', its own' if judged.isolated else ''}"


def _measured(measured: Mapping[str, int]) -> str:
    return ", ".join(f"{MEASURED.get(name, name)}: {value}" for name, value in measured.items())


def _stages(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Return the stages in their order: name, seconds, and whether it was there that the case came to its end."""
    ended = outcome.stage if outcome.kind is not OutcomeKind.WORKS else None
    known = [stage for stage in Stage if stage in outcome.stages or stage is ended]
    return [
        (
            str(stage),
            f"{outcome.stages[stage]:.3f} s" if stage in outcome.stages else "",
            STOPPED if stage is ended else DONE,
        )
        for stage in known
    ]


def _texts(outcome: Outcome) -> Iterator[tuple[str, str, str]]:
    """Yield the blocks of text, each with its label and the line in it that decides ("" for none)."""
    decides = deciding_line(outcome)
    yield wording.log_label(outcome).capitalize(), outcome.log, decides
    yield "Its output", outcome.output, ""
    for splat in outcome.splats:
        yield "The kernel's log", splat, splat.strip().partition("\n")[0].strip()
    yield "The kernel's death", outcome.crash, decides
    yield "The console's last lines", "\n".join(outcome.console_tail), decides


def _blocks(texts: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return the blocks that have a text, with the number of the line that decides, from 0; "" for none."""
    return [(label, text, _number(text, line)) for label, text, line in texts if text.strip()]


def _number(text: str, line: str) -> str:
    """Return the number of the last line of `text` that is `line` but for the space around it."""
    if not line or line not in text:
        return ""
    lines = text.split("\n")
    return next((str(n) for n in reversed(range(len(lines))) if lines[n].strip() == line), "")


def _of_kernel(kernel: KernelResult) -> Iterator[tuple[str, str]]:
    yield "Kernel", kernel.name
    yield "Release", kernel.release
    yield "Version", kernel.version
    yield "Version is", wording.number(kernel)
    yield "Architecture", kernel.arch
    yield "Package", wording.package(kernel.package) if kernel.package else ""
    yield "SHA-256", kernel.package.sha256 if kernel.package else ""
    yield "Notice", kernel.package.notice if kernel.package else ""
    yield "libbpf", " ".join(part for part in (kernel.libbpf_version, kernel.userland) if part)
    yield "clang", " ".join(part for part in (kernel.clang_version, kernel.compiler) if part)
    yield "Accelerator", kernel.accel
    yield "QEMU", kernel.qemu_version
    yield "Connection", kernel.transport
    yield "Guests", str(kernel.boots) if kernel.boots else ""
    yield "Memory", f"{kernel.memory:.0f} MiB" if kernel.memory else ""
    yield "Seconds", ", ".join(f"{phase} {value:.1f}" for phase, value in kernel.seconds.items())
    yield "Run", kernel.run
    for problem in kernel.problems:
        yield "Problem", problem
    yield "Environment", "; ".join(f"{key}: {value}" for key, value in kernel.environment.items() if value is not None)
    yield "Inputs", "; ".join(f"{key}: {value}" for key, value in kernel.inputs.items())


def _pairs(labelled: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(label, one_line(text, limit=LONGEST)) for label, text in labelled if text.strip()]


LONGEST = 2_000
"""Characters of a labelled sentence."""


def _without_empty(evidence: Mapping[str, Any]) -> Evidence:
    return {key: value for key, value in evidence.items() if value}
