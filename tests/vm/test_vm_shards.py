"""A run in shards: their merged report is that of the whole run, cell for cell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from projects import run

from harness.answers.merge import merge
from harness.answers.seen import seen_in, signature_of
from harness.model.results import Report
from harness.reports.json_report import parse

pytestmark = pytest.mark.vm

CHOICE = ["--kernel", "5.10-x86_64", "--kernel", "6.1-x86_64", "--kernel", "6.12-x86_64"]
CHOICE += ["--case", "subprog-*", "--case", "xdp", "--case", "kprobe-fentry-fexit"]


def ran(folder: Path, *more: str) -> Report:
    done = run("matrix", *CHOICE, "--results", str(folder), *more, seconds=300)
    assert done.code == 0, done.output
    return parse((folder / "latest/report.json").read_text())


def test_the_shards_of_a_run_are_the_whole_run(tmp_path: Path) -> None:
    whole = ran(tmp_path / "whole")
    timings = ["--timings", str(tmp_path / "whole/latest")]
    done = run("plan", *CHOICE, *timings, "--shards", "4", "--format", "json", seconds=60)
    assert done.code == 0, done.output
    planned = json.loads(done.output)["shards"]
    shards = [ran(tmp_path / f"{index}", *timings, "--shard", f"{index}/4") for index in range(1, 5)]
    assert [[row["name"] for row in each["rows"]] for each in planned] == [
        [kernel.name for kernel in each.kernels] for each in shards
    ]
    found = merge(shards)
    assert [(cell.kernel, cell.case, cell.verdict) for cell in found.cells] == [
        (cell.kernel, cell.case, cell.verdict) for cell in whole.cells
    ]
    assert [signature_of(each.outcome) for each in seen_in(found).values()] == [
        signature_of(each.outcome) for each in seen_in(whole).values()
    ]
    assert [kernel.release for kernel in found.kernels] == [kernel.release for kernel in whole.kernels]
    folders = [str(tmp_path / f"{index}/latest") for index in (1, 2, 4)]
    done = run("merge", *folders, "--output", str(tmp_path / "merged"), seconds=60)
    assert (done.code, "the shards 3/4 of this run are missing" in done.output) == (2, True)
