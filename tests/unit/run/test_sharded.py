from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from answers_samples import kernel, report
from unit_samples import ROOT, written_case

from harness.config.matrix import Matrix
from harness.errors import ConfigError, UsageError
from harness.reports.json_report import render
from harness.run.options import Options
from harness.run.plan import Plan, make_plan
from harness.run.sharded import costs_of, lock_digest, report_in, shard_of
from harness.supply.project import Project
from harness.supply.unbuilt import UnbuiltCase, yaml_cases

NAMES = ("a", "b", "c")


def plan(*names: str) -> Plan[UnbuiltCase]:
    kernels = [{"name": name, "arch": "x86_64", "source": "path", "image": "vmlinuz"} for name in names or NAMES]
    cases = yaml_cases(written_case(id=name) for name in ("one", "two"))
    return make_plan(Matrix.model_validate({"kernels": kernels}), cases, host_arch="x86_64")


def options(folder: Path, **fields: Any) -> Options:
    return Options(project=Project(matrix_file=folder / "matrix.yaml"), **fields)


def test_all_shards_of_a_plan_agree_and_are_all_of_it(tmp_path: Path) -> None:
    found = [shard_of(plan(), options(tmp_path, shard=(index, 2))) for index in (1, 2)]
    assert sorted(row.name for _, part in found for row in part.rows) == list(NAMES)
    first, second = (shard for shard, _ in found)
    assert first is not None
    assert second is not None
    assert (first.name, second.name) == ("1/2", "2/2")
    assert (first.plan, first.lock) == (second.plan, second.lock)
    assert first.rows == dict.fromkeys(NAMES, "x86_64")
    assert list(first.cases) == ["one", "two"]


def test_another_plan_is_another_hash(tmp_path: Path) -> None:
    plans = [(plan(), (1, 2)), (plan("a", "b"), (1, 2)), (plan(), (1, 3))]
    hashes = {shard.plan for of, which in plans if (shard := shard_of(of, options(tmp_path, shard=which))[0])}
    assert len(hashes) == 3


def test_the_same_cases_that_say_something_else_are_another_plan(tmp_path: Path) -> None:
    hashes = set()
    for more in ({}, {"budget": {"max-insns": 10}}, {"deadline": 7}):
        cases = yaml_cases(written_case(id=name, **more) for name in ("one", "two"))
        kernels = [{"name": "a", "arch": "x86_64", "source": "path", "image": "vmlinuz"}]
        made: Plan[UnbuiltCase] = make_plan(Matrix.model_validate({"kernels": kernels}), cases, host_arch="x86_64")
        shard, _ = shard_of(made, options(tmp_path, shard=(1, 2)))
        assert shard is not None
        hashes.add(shard.plan)
    assert len(hashes) == 3


def test_the_hash_of_the_suite_is_the_same_in_every_process() -> None:
    argv = [sys.executable, "-m", "harness.cli", "plan", "--shards", "3", "--format", "json", "--arch", "all"]
    plans = [
        json.loads(subprocess.run(argv, cwd=ROOT, env={**os.environ, **more}, capture_output=True, check=True).stdout)
        for more in ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2"})
    ]
    assert plans[0] == plans[1]


def test_without_a_shard_it_is_the_whole_plan(tmp_path: Path) -> None:
    whole = plan()
    assert shard_of(whole, options(tmp_path)) == (None, whole)
    for more in ({"by": "arch"}, {"timings": [tmp_path]}):
        with pytest.raises(UsageError, match="give --shard"):
            shard_of(whole, options(tmp_path, **more))


def test_another_lock_is_another_hash(tmp_path: Path) -> None:
    assert lock_digest(tmp_path / "matrix.lock") == ""
    (tmp_path / "matrix.lock").write_text("schema: 2")
    before = lock_digest(tmp_path / "matrix.lock")
    (tmp_path / "matrix.lock").write_text("schema: 3")
    assert "" != before != lock_digest(tmp_path / "matrix.lock")


def test_recorded_seconds_decide_how_it_is_split(tmp_path: Path) -> None:
    took = {"a": 1.0, "b": 9.0, "c": 1.0}
    kernels = {name: kernel(name, boots=1, seconds={"total": seconds}) for name, seconds in took.items()}
    made = report({name: {"one": "pass"} for name in NAMES}, kernels=kernels)
    (tmp_path / "report.json").write_text(render(made))
    for timings in (tmp_path, tmp_path / "report.json"):
        parts = [
            [row.name for row in shard_of(plan(), options(tmp_path, shard=(index, 2), timings=[timings]))[1].rows]
            for index in (1, 2)
        ]
        assert parts == [["a", "c"], ["b"]]
    assert [row.recorded for row in costs_of(plan(), [tmp_path])] == [True] * 3


def test_timings_that_are_no_report_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no report to read: No such file"):
        report_in(tmp_path)
    (tmp_path / "report.json").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="this is no report"):
        report_in(tmp_path)
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(ConfigError, match="an object with the key"):
        report_in(tmp_path)
