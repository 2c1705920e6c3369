"""What a terminal shows of finished runs: what changed between them, what failed, and what differs each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from harness.answers.compare import ChangeKind, Comparison, CostWord
from harness.answers.explain import Explanation, runs_cases
from harness.answers.history import History
from harness.answers.seen import Place, Seen
from harness.host.called_as import command
from harness.reports import comparison as pages
from harness.reports import explanation as causes
from harness.reports import history_page as histories
from harness.reports import wording
from harness.screen.lines import make_console, print_text

CHANGE_STYLES = {
    ChangeKind.REGRESSION: "bold red",
    ChangeKind.UNANSWERED: "bold red",
    ChangeKind.GONE: "red",
    ChangeKind.REASON: "yellow",
    ChangeKind.SURPRISE: "magenta",
    ChangeKind.FIRST_FAILURE: "yellow",
    ChangeKind.FIXED: "green",
}
LABEL = 13
"""Columns before what is said of a cause, behind its label."""
MOST_COSTS = 20
"""Costs that are shown, those that changed most; the files have all."""

MOST_CHANGES = 20
"""Changes of a kind that are shown where nobody has to do anything; what is worse is shown whole."""

HARMLESS = frozenset({ChangeKind.ANSWER, ChangeKind.EXPECTATION, ChangeKind.FIXED, ChangeKind.ANSWERED, ChangeKind.NEW})


def print_comparison(found: Comparison, *, console: Console | None = None) -> None:
    """Print what changed, what is worse last, and then what it comes to."""
    console = console or make_console()
    for kernel in found.kernels:
        for what, (before, now) in kernel.changed.items():
            if what != "file" or "package" not in kernel.changed:
                _line(console, f"{kernel.kernel}: {what} was {before}, is {now}", "dim")
    costs = sorted(
        (each for each in found.costs if each.word is not CostWord.STABLE), key=lambda each: -abs(each.ratio)
    )
    for cost in costs[:MOST_COSTS]:
        said = f"{cost.base} -> {cost.head} ({pages.cost_change(cost)})"
        _line(console, f"{cost.place.kernel} x {cost.what}: {cost.measure} {said}", "dim")
    if len(costs) > MOST_COSTS:
        _line(console, f"... and {len(costs) - MOST_COSTS} more costs", "dim")
    for text in pages.only_in_one(found):
        _line(console, text, "" if found.common else "yellow")
    lines = pages.lines_of(found)
    counts = Counter(line.kind for line in lines)
    shown: Counter[ChangeKind] = Counter()
    for line in reversed(lines):
        shown[line.kind] += 1
        if line.kind in HARMLESS and shown[line.kind] > MOST_CHANGES:
            if shown[line.kind] == counts[line.kind]:
                _line(console, f"{line.kind}: and {counts[line.kind] - MOST_CHANGES} more", "dim")
            continue
        style = CHANGE_STYLES.get(line.kind, "")
        _line(
            console, f"{line.kind}: {line.what} on {causes.named(line.kernels)}: {line.before} -> {line.after}", style
        )
        if line.reason and line.kind in CHANGE_STYLES:
            _line(console, f"    {line.reason}", "")
    for note in found.notes:
        _line(console, f"note: {note}", "yellow")
    _line(console, pages.headline(found), "bold")


def print_explanation(found: Explanation, *, run: str, console: Console | None = None) -> None:
    """Print the failures of a run by their cause, each with the command that shows it again; `run` is its folder."""
    console = console or make_console()
    print_causes(found, console=console)
    if found.causes and runs_cases(found.report):
        _line(console, f"all of them again: {command(f'matrix --failed-of {run}')}", "", whole=True)
    _line(console, causes.headline(found), "bold")


def print_causes(found: Explanation, *, console: Console) -> None:
    """Print each cause of a run's failures, with all that it hit, and the problems that no cell carries."""
    for kernel, problem in found.problems:
        _line(console, f"{kernel}: {problem}", "red")
    for number, cause in enumerate(found.causes, 1):
        _line(console, f"{number}. {cause.party} ({len(cause.places)}):", "bold red")
        for label, text in causes.lines_of(cause):
            _line(console, f"   {label.lower() + ':':<10}{text}", "", whole=label == "Again")


def print_history(found: History, *, console: Console | None = None) -> None:
    """Print what changed from build to build, from run to run, and, last, what must not differ and does."""
    console = console or make_console()
    for step in found.by_version:
        _line(console, f"by version: {histories.version_line(step)}", "green" if step.after.works else "yellow")
    for step in found.by_date:
        _line(console, f"by date: {histories.date_line(step)}", "green" if step.after.works else "yellow")
    for defect in found.defects:
        _line(console, f"defect: {histories.defect_line(defect)}", "bold red")
    _line(console, histories.headline(found), "bold")


def print_unlike(found: Sequence[tuple[Place, Sequence[Seen]]], *, runs: int, console: Console | None = None) -> None:
    """Print where runs of the same thing did not say the same, and how many of them said what."""
    console = console or make_console()
    for place, seen in found:
        counts = Counter(f"{each.verdict}: {wording.brief(each.outcome)}" for each in seen)
        counts.update({"no cell": runs - len(seen)} if len(seen) < runs else {})
        said = "; ".join(f"{text} ({count} of {runs})" for text, count in counts.items())
        _line(console, f"not the same each time: {place.what} on {place.kernel}: {said}", "bold red")
    _line(console, f"{runs} runs: {len(found)} places where they do not say the same", "bold")


def _line(console: Console, text: str, style: str, *, whole: bool = False) -> None:
    print_text(console, text, style=style, indent=LABEL, whole=whole)
