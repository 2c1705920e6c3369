"""Which commit of a git clone changed the answer of a case: kernels are built of commits, about log2(n) of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.answers.bisection import Is, what_it_is
from harness.answers.commits import BisectedCommits, CommitTried, History, most_tries, next_commit, suspects
from harness.answers.seen import Place, Seen, Signature, seen_in, signature_of
from harness.errors import BisectError, UsageError
from harness.host import emulators
from harness.host.cache import Cache
from harness.host.called_as import command
from harness.run.bisect import run_rows
from harness.run.observer import Observer
from harness.run.options import Options
from harness.run.prepared import load_plan
from harness.supply.build import git
from harness.supply.build.places import SHOWN, entry_of, row_of
from harness.supply.kernels.tools import tools_of
from harness.supply.lock import KernelPin
from harness.supply.supplies import Supplies

Answers = Callable[[Sequence[str]], Sequence[Seen | None]]
"""Builds some commits and runs the case on them; gives what was seen on each (None: nothing)."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line asks for: a clone, two commits of it, and whether merged branches are left alone."""

    clone: Path
    good: str
    bad: str
    first_parent: bool = False


@dataclass(frozen=True, kw_only=True)
class Range:
    """The commits between two ends: `old` is in the past of `new`; the history has `new`, and not `old`."""

    old: str
    new: str
    new_is: Is
    history: History


def bisect_commits(
    options: Options,
    asked: Asked,
    *,
    say: Callable[[str], None],
    showing: Callable[[Sequence[str]], Observer],
    cache: Cache | None = None,
) -> BisectedCommits:
    """Find the commit of a clone from which on a case has another answer.

    `options` name one case, and perhaps one kernel of the matrix that is built here: its configuration, compiler and
    architecture are those of each commit; without one it is the host's defconfig. Nothing is written into the clone. A
    commit that does not build or boot, or whose answer is that of neither end, is skipped. `say` takes what happens,
    `showing` makes the observer of the rows' names.

    Raises UsageError where the options name something else, where neither end is in the past of the other, and where
    both have the same answer; BisectError where one has none; KernelFileError where there is no clone.
    """
    matrix, plan = load_plan(options, sweeps=True)
    if len(plan.cases) != 1:
        raise UsageError(
            f"bisect takes one case, and these are {len(plan.cases)}; name it with --case (see `{command('cases')}`)"
        )
    entry, (case,) = entry_of(plan.kernels if options.kernels else (), asked.clone), plan.cases
    if not (asked.good and asked.bad):
        raise UsageError("--commits needs --good and --bad: two commits, tags or branches of the clone")
    between = range_of(asked, kernel=entry.name)
    emulators.require([entry.arch], tools=tools_of([entry]))
    supplies = Supplies(options.project, matrix, cache=cache or Cache())
    source = supplies.source(entry)

    def answers(commits: Sequence[str]) -> Sequence[Seen | None]:
        rows = tuple(row_of(entry, commit) for commit in commits)
        pins = {row.name: KernelPin(row.source, source.pin(row).pin) for row in rows}
        supplies.lock = replace(supplies.lock, kernels={**supplies.lock.kernels, **pins})
        own = matrix.model_copy(update={"kernels": rows})
        report, _ = run_rows(options, own, rows, case, supplies=supplies, showing=showing)
        seen = seen_in(report)
        return [seen.get(Place(kernel=row.name, case=case.id)) for row in rows]

    tried = search(between, answers, say=say)
    left = suspects(between.history, {each.commit: each.is_ for each in tried}, new=between.new_is)
    named = [*left, *(each.commit for each in tried), between.old]
    return BisectedCommits(
        clone=str(asked.clone),
        kernel=entry.name if options.kernels else "",
        case=case.id,
        old=between.old,
        suspects=tuple(left),
        new=between.new_is,
        tried=tuple(tried),
        subjects={commit: git.subject(asked.clone, commit) for commit in dict.fromkeys(named)},
    )


def range_of(asked: Asked, *, kernel: str) -> Range:
    """Return the commits between the ends, whichever is older; raise UsageError where neither is."""
    good, bad = (git.resolve(asked.clone, ref, kernel=kernel).commit for ref in (asked.good, asked.bad))
    if good == bad:
        raise UsageError(f"--good and --bad are the same commit, {good[:SHOWN]}; name two different ones")
    for old, new, new_is in ((good, bad, Is.BAD), (bad, good, Is.GOOD)):
        if git.is_ancestor(asked.clone, old, new):
            history = git.history(asked.clone, old, new, first_parent=asked.first_parent)
            return Range(old=old, new=new, new_is=new_is, history=history)
    base = git.merge_base(asked.clone, good, bad)
    advice = f"; take {base[:SHOWN]}, where they parted, as one of them" if base else ""
    raise UsageError(f"neither {asked.good} nor {asked.bad} is in the past of the other{advice}")


def search(between: Range, answers: Answers, *, say: Callable[[str], None]) -> list[CommitTried]:
    """Return the commits that were tried, in their order, until no other can say more.

    `answers` builds and runs some of them. Raises what `bisect_commits` says of ends.
    """
    most = 2 + most_tries(between.history)
    say(f"{len(between.history)} commits, {between.old[:SHOWN]} to {between.new[:SHOWN]}: about {most} builds")
    old_is = Is.GOOD if between.new_is is Is.BAD else Is.BAD
    ends = (between.old, between.new)
    seen = dict(zip(ends, answers(ends), strict=True))
    signatures = {commit: _signature(commit, of) for commit, of in seen.items()}
    if signatures[between.old] == signatures[between.new]:
        raise UsageError(
            f"the answers on {between.old[:SHOWN]} and on {between.new[:SHOWN]} are alike, so there is no change to "
            "look for between them; name another --good or --bad"
        )
    good, bad = (signatures[end] for end in (ends if old_is is Is.GOOD else ends[::-1]))
    tried: list[CommitTried] = []

    def keep(commit: str, what: Seen | None) -> None:
        is_ = what_it_is(what, good=good, bad=bad)
        tried.append(CommitTried(commit=commit, is_=is_, seen=what))
        say(f"{commit[:SHOWN]}: {is_}{f' ({what.reason})' if what is not None else ''}")

    for commit in ends:
        keep(commit, seen[commit])
    while (following := _next(between, tried)) is not None:
        (what,) = answers([following])
        keep(following, what)
    return tried


def _next(between: Range, tried: Sequence[CommitTried]) -> str | None:
    known: Mapping[str, Is] = {each.commit: each.is_ for each in tried}
    return next_commit(between.history, known, new=between.new_is)


def _signature(commit: str, seen: Seen | None) -> Signature:
    if seen is None or not seen.has_answer:
        why = f": {seen.reason}" if seen is not None else ""
        raise BisectError(
            f"{commit[:SHOWN]} has no answer, so nothing can be compared with it{why}; name another --good or --bad"
        )
    return signature_of(seen.outcome)
