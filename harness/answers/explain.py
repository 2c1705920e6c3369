"""What went wrong in a run: by whose fault it is, with everything of the same cause together. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from harness.answers.seen import Place, Seen, seen_in, signature_of, without_numbers
from harness.model.results import Fault, Origin, Outcome, OutcomeKind, Report, Stage, Verdict

FAILED = frozenset({Verdict.FAIL, Verdict.XPASS, Verdict.ERROR, Verdict.NOT_RUN})
"""The verdicts that are explained, and that `matrix --failed-of` runs again."""


class Party(StrEnum):
    """Who has to do something, in the order of reports."""

    KERNEL = "the kernel's"
    """The kernel did otherwise than the case says: the program, or the rule, is for it to be looked at."""
    CASE = "the case's"
    """The user's own input cannot be used: a source that does not compile, a mistake in a file, an object that libbpf
    refuses on any kernel."""
    HARNESS = "the harness's"
    """bpfmatrix itself has no complete answer."""
    HOST = "the host's"
    """Something that the host must have is missing or failed: a mirror, a program, the disk, QEMU."""
    RUN = "the run's end"
    """The run ended before it."""


_OF_FAULTS = {Fault.HOST: Party.HOST, Fault.HARNESS: Party.HARNESS, Fault.INPUT: Party.CASE, Fault.ENDED: Party.RUN}


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Places that are wrong for the same cause.

    `seen` is what the first of them saw; `line` is the line that decides, of a log, a splat or the case's steps.
    `again` is the command that shows the first of them again.
    """

    party: Party
    places: tuple[Place, ...]
    seen: Seen
    line: str
    again: str

    @property
    def kernels(self) -> tuple[str, ...]:
        """The rows that it hit, each once, in the grid's order."""
        return tuple(dict.fromkeys(place.kernel for place in self.places))

    @property
    def what(self) -> tuple[str, ...]:
        """The cases, or sub-results of them, that it hit, each once."""
        return tuple(dict.fromkeys(place.what for place in self.places))


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The failures of a run by their cause; `problems` are those of rows that no cell carries, by the row's name."""

    report: Report
    causes: tuple[Cause, ...]
    problems: tuple[tuple[str, str], ...]


def explain(report: Report, *, program: str) -> Explanation:
    """Return the failures of a run by their cause, those that hit most first in each party.

    `program` is how the command line is called, such as `bpfmatrix`.
    """
    found: dict[tuple[object, ...], list[tuple[Place, Seen]]] = {}
    for place, seen in _failed(report):
        found.setdefault(cause_of(seen), []).append((place, seen))
    causes = [
        Cause(
            party=party_of(places[0][1]),
            places=tuple(place for place, _ in places),
            seen=places[0][1],
            line=deciding_line(places[0][1].outcome),
            again=command_again(report, places[0][0], program=program),
        )
        for places in found.values()
    ]
    order = list(Party)
    causes.sort(key=lambda cause: (order.index(cause.party), -len(cause.places)))
    problems = tuple((kernel.name, each) for kernel in report.kernels for each in kernel.problems)
    return Explanation(report=report, causes=tuple(causes), problems=problems)


def cause_of(seen: Seen) -> tuple[object, ...]:
    """Return what is the same wherever the cause is: whose it is, what happened, and the line that says why."""
    party = party_of(seen)
    # What is no kernel's has no class: the same sentence is the same cause.
    same = signature_of(seen.outcome) if party is Party.KERNEL else without_numbers(seen.reason)
    return party, same, without_numbers(deciding_line(seen.outcome))


def failed_places(report: Report) -> tuple[tuple[str, str], ...]:
    """Return the row and the case of each cell that is wrong or has no answer, in the grid's order."""
    return tuple((cell.kernel, cell.case) for cell in report.cells if cell.verdict in FAILED)


def failed_grids(report: Report) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Return the cells that are wrong or have no answer, and no others, as grids: some rows, and the cases of each.

    Rows with the same such cases are in one grid.
    """
    of_rows: dict[str, list[str]] = {}
    for row, case in failed_places(report):
        of_rows.setdefault(row, []).append(case)
    grids: dict[tuple[str, ...], list[str]] = {}
    for row, cases in of_rows.items():
        grids.setdefault(tuple(cases), []).append(row)
    return tuple((tuple(rows), cases) for cases, rows in grids.items())


def runs_cases(report: Report) -> bool:
    """Whether it is a report of cases of a matrix; not of what a command line named itself (check, exec)."""
    return _task_and_rest(shlex.split(report.run.command))[0] in _OF_CASES


def _failed(report: Report) -> Iterator[tuple[Place, Seen]]:
    """Yield what is wrong: sub-results where a cell has some that are, else the cell."""
    seen = seen_in(report)
    wrong = {place: each for place, each in seen.items() if each.verdict in FAILED}
    with_parts = {(place.kernel, place.case) for place in wrong if place.part}
    for place, each in wrong.items():
        if place.part or (place.kernel, place.case) not in with_parts:
            yield place, each


def party_of(seen: Seen) -> Party:
    """Return who has to do something about what was seen in one place."""
    if seen.outcome.fault is not None:
        return _OF_FAULTS[seen.outcome.fault]
    if seen.outcome.wrong_input or seen.outcome.stage is Stage.BUILD or seen.outcome.origin is Origin.LIBBPF:
        return Party.CASE
    if seen.outcome.kind is OutcomeKind.NOT_RUN:
        return Party.RUN
    return Party.HARNESS if seen.outcome.kind is OutcomeKind.LOST else Party.KERNEL


def deciding_line(outcome: Outcome) -> str:
    """Return the line of the evidence that says the cause: of a death, a complaint, a difference, a log; "" without."""
    for text in (outcome.crash, *outcome.counted_splats, *(each.text for each in outcome.over_budget)):
        if text.strip():
            return text.strip().splitlines()[0].strip()
    if outcome.kind is OutcomeKind.MISBEHAVES and outcome.differences:
        return outcome.differences[0].text
    lines = [line.strip() for line in outcome.log.splitlines() if line.strip()]
    if outcome.stage is Stage.BUILD:
        return next((line for line in lines if "error:" in line), lines[0] if lines else "")
    said = [line for line in lines if not line.startswith(_NO_CAUSE)]
    return said[-1] if said else (outcome.console_tail[-1].strip() if outcome.console_tail else "")


_NO_CAUSE = ("processed ", "verification time ", "stack depth ")
"""How lines at a verifier's log's end begin that say no cause (kernel/bpf/verifier.c, print_verification_stats())."""


_CHOOSING = frozenset(
    {
        "--kernel",
        "-k",
        "--arch",
        "--case",
        "--resume",
        "--results",
        "--failed-of",
        "--shard",
        "--by",
        "--timings",
        "--jobs",
    }
)
"""The options of a run that say which cells, or where to: a single cell needs others, or none."""

_OF_CASES = frozenset({"matrix", "watch", "mutants", "bench"})
"""The commands that run cases of a matrix."""

_OF_OWN = frozenset({"check", "exec"})
"""The commands whose own words say what is tried."""


def command_again(report: Report, place: Place, *, program: str) -> str:
    """Return the command that runs the cell of one place again, as a line of a shell.

    It is that of the run, on the row alone, and with the case or the program alone where it can be had so.
    """
    return Again(report, program=program).of(place)


class Again:
    """The commands that run single cells of a report again; `program` is how the command line is called."""

    def __init__(self, report: Report, *, program: str) -> None:
        try:
            task, rest = _task_and_rest(shlex.split(report.run.command))
        except ValueError:  # a quotation without an end: somebody else wrote it
            task, rest = "matrix", []
        self._task = "matrix" if task in _OF_CASES else task
        self._rest = shlex.join(_without_choice(rest))
        self._program = program

    def of(self, place: Place) -> str:
        """Return the command for one place, as a line of a shell."""
        own = ["--kernel", place.kernel]
        if self._task == "matrix":
            own += ["--case", place.case]
        elif self._task == "check" and place.part:
            own += ["--program", place.part]
        return " ".join(part for part in (shlex.join([self._program, self._task, *own]), self._rest) if part)


def _task_and_rest(words: list[str]) -> tuple[str, list[str]]:
    """Return the command that a run was started with, and the words behind it; without a name it is `matrix`."""
    for number, word in enumerate(words):
        if word in _OF_CASES or word in _OF_OWN:
            return word, words[number + 1 :]
    return "matrix", words[1:]


def _without_choice(words: list[str]) -> Iterator[str]:
    """Yield the words of a command without those that choose cells; what comes behind `--` is not ours."""
    skip = False
    for number, word in enumerate(words):
        if word == "--":
            yield from words[number:]
            return
        if skip:
            skip = False
        elif word in _CHOOSING:
            skip = True
        elif word.partition("=")[0] not in _CHOOSING:
            yield word
