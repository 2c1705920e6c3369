"""One shard of a run: its part of the plan, and the value by which its report says which part that is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

from harness import __version__
from harness.errors import ConfigError, UsageError
from harness.host.cache import digest
from harness.host.paths import shown
from harness.model.results import Report
from harness.model.shards import Shard
from harness.run.options import Options
from harness.run.plan import Plan
from harness.run.sharding import Part, RowCost, costs, recorded, split
from harness.scenario.case import Script
from harness.supply.unbuilt import UnbuiltCase

REPORT = "report.json"


def costs_of(plan: Plan[UnbuiltCase], timings: Sequence[Path]) -> tuple[RowCost, ...]:
    """Return what each row of a plan takes, from the reports of earlier runs; raise UsageError or ConfigError."""
    rows = {row.name: row.kernel.arch for row in plan.rows}
    return costs(rows, [case.id for case in plan.cases], recorded(report_in(path) for path in timings))


def shard_of(plan: Plan[UnbuiltCase], options: Options) -> tuple[Shard | None, Plan[UnbuiltCase]]:
    """Return which part of a plan the options ask for, None for all of it, and what of the plan that is.

    Raises UsageError where the plan cannot be split so, and ConfigError where a report of `--timings` is none.
    """
    if options.shard is None:
        if options.by or options.timings:
            raise UsageError("--by and --timings say how a run is split; give --shard, too, or leave them out")
        return None, plan
    index, count = options.shard
    parts = split(costs_of(plan, options.timings), count, by=options.by)
    part = parts[index - 1]
    rows = {row.name: row.kernel.arch for row in plan.rows}
    shard = Shard(
        index=index,
        count=count,
        plan=plan_digest(plan, parts, by=options.by),
        lock=lock_digest(options.project.lock_file),
        rows=rows,
        cases={case.id: case.title for case in plan.cases},
    )
    return shard, Plan(
        rows=tuple(row for row in plan.rows if row.name in part.rows),
        cases=tuple(case for case in plan.cases if case.id in part.cases),
    )


def plan_digest(plan: Plan[UnbuiltCase], parts: Sequence[Part], *, by: str) -> str:
    """Return the hash of a plan and of how it is split: shards that have it in common are shards of one run.

    Of the cases it is what they say: their steps, rules and budgets. What objects are made of is in the rows' `inputs`.
    """
    rows = [[row.name, row.kernel.arch] for row in plan.rows]
    cases = [_plain(case.compiled()) for case in plan.cases]
    return digest(__version__, rows, cases, by, [[part.rows, part.cases] for part in parts])


def _plain(value: object) -> object:
    """Return a value so that equal ones are the same JSON in every process: sets and mappings have an order."""
    if isinstance(value, Script):
        return value.source  # its file is called as whoever ran it sees it
    if is_dataclass(value):
        return [[field.name, _plain(getattr(value, field.name))] for field in fields(value)]
    if isinstance(value, Mapping):
        return sorted(([str(key), _plain(each)] for key, each in value.items()), key=repr)
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(each) for each in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def lock_digest(lock_file: Path) -> str:
    """Return the hash of the lock, "" where there is none."""
    try:
        return hashlib.sha256(lock_file.read_bytes()).hexdigest()[:24]
    except FileNotFoundError:
        return ""


def report_in(path: Path) -> Report:
    """Return a report by its file, or by the folder of its run; raise UsageError or ConfigError."""
    from harness.reports.json_report import parse  # noqa: PLC0415  few runs are given timings

    file = path / REPORT if path.is_dir() else path
    try:
        return parse(file.read_text(encoding="utf-8"), name=shown(file))
    except OSError as error:
        raise UsageError(f"--timings {shown(path)}: there is no report to read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--timings {shown(path)}: this is no report of bpfmatrix") from error
