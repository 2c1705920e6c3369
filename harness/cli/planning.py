"""`plan`: what a run would do, split into shards, as a CI takes it."""

from __future__ import annotations

from harness.errors import EXIT_OK, UsageError
from harness.run.options import Options
from harness.run.plan_formats import FORMATS, Split
from harness.run.prepared import load_plan
from harness.run.sharded import costs_of, lock_digest, plan_digest
from harness.run.sharding import split


def plan(options: Options, *, shards: int, format: str) -> int:
    """Print the shards of the plan that the options choose; raise UsageError or ConfigError."""
    if format not in FORMATS:
        raise UsageError(f'--format takes {", ".join(FORMATS)}; got "{format}"')
    _, found = load_plan(options)
    rows = costs_of(found, options.timings)
    parts = split(rows, shards, by=options.by)
    made = Split(
        rows=rows,
        parts=parts,
        by=options.by,
        plan=plan_digest(found, parts, by=options.by),
        lock=lock_digest(options.project.lock_file),
    )
    print(FORMATS[format](made), end="")
    return EXIT_OK
