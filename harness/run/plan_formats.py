"""A plan in shards, as a CI takes it. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import yaml

from harness.errors import UsageError
from harness.run.sharding import Part, RowCost

SCHEMA = 1
MOST_GITHUB = 256
"""Jobs of one matrix (docs.github.com, "Usage limits")."""
MOST_GITLAB = 200
"""Jobs of `parallel: matrix` (docs.gitlab.com/ee/ci/yaml, `parallel:matrix`)."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """A plan that is split: what its rows take, its shards, and the hashes by which `merge` knows these."""

    rows: Sequence[RowCost]
    parts: Sequence[Part]
    by: str
    plan: str
    lock: str

    def jobs(self) -> list[dict[str, str]]:
        """Return what a CI's job must know of each shard."""
        arches = {row.name: row.arch for row in self.rows}
        found = []
        for number, part in enumerate(self.parts, 1):
            shard = f"{number}/{len(self.parts)}"
            arch = " ".join(dict.fromkeys(arches[row] for row in part.rows))
            found.append(
                {"name": f"{arch} {shard}".strip(), "shard": shard, "arch": arch, "kernels": " ".join(part.rows)}
            )
        return found


def github(found: Split) -> str:
    """Return one line of JSON for `strategy: matrix: ${{ fromJson(...) }}`; raise UsageError for too many jobs."""
    _at_most(found, MOST_GITHUB, "GitHub")
    return json.dumps({"include": found.jobs()}, separators=(",", ":")) + "\n"


HEAD = """\
# Written by `bpfmatrix plan`. A job with `extends: .bpfmatrix-shards` runs once for each shard, such as one with this
# script, and the options by which the kernels and cases of the plan were chosen:
# bpfmatrix matrix --shard "$SHARD"{by}
"""


def gitlab(found: Split) -> str:
    """Return a file for `include` of GitLab CI, with the shards as a job to extend; raise UsageError for too many."""
    _at_most(found, MOST_GITLAB, "GitLab")
    variables = [{key.upper(): value for key, value in job.items() if key != "name"} for job in found.jobs()]
    job = {".bpfmatrix-shards": {"parallel": {"matrix": variables}}}
    by = f" --by {found.by}" if found.by else ""
    return HEAD.format(by=by) + yaml.safe_dump(job, sort_keys=False, width=1000)


def as_json(found: Split) -> str:
    """Return all of it: which shard has which rows and cases, and what each is thought to take, in seconds."""
    rows = {row.name: row for row in found.rows}
    shards = [
        {
            "shard": f"{number}/{len(found.parts)}",
            "seconds": part.cost / 1000,
            "rows": [
                {
                    "name": name,
                    "arch": rows[name].arch,
                    "seconds": (rows[name].guest + sum(rows[name].cases[case] for case in part.cases)) / 1000,
                    "recorded": rows[name].recorded,
                }
                for name in part.rows
            ],
            "cases": list(part.cases),
        }
        for number, part in enumerate(found.parts, 1)
    ]
    document = {
        "schema": SCHEMA,
        "plan": found.plan,
        "lock": found.lock,
        "by": found.by,
        "seconds": sum(part.cost for part in found.parts) / 1000,
        "shards": shards,
    }
    return json.dumps(document, indent=2) + "\n"


FORMATS: Mapping[str, Callable[[Split], str]] = {"github": github, "gitlab": gitlab, "json": as_json}
"""How a plan is written, by the name of the format."""


def _at_most(found: Split, most: int, whose: str) -> None:
    if len(found.parts) > most:
        raise UsageError(f"{whose} runs at most {most} jobs of one matrix, and these are {len(found.parts)} shards")
