from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.errors import UsageError
from harness.run.plan_formats import MOST_GITHUB, MOST_GITLAB, Split, as_json, github, gitlab
from harness.run.sharding import RowCost, split

ROWS = [
    RowCost(name="6.1-x86_64", arch="x86_64", guest=3000, cases={"a": 1000, "b": 2000}, recorded=True),
    RowCost(name="6.12-x86_64", arch="x86_64", guest=3000, cases={"a": 500, "b": 500}),
    RowCost(name="6.1-arm64", arch="arm64", guest=2000, cases={"a": 100, "b": 100}),
]


def made(count: int, by: str = "") -> Split:
    return Split(rows=ROWS, parts=split(ROWS, count, by=by), by=by, plan="p1", lock="l1")


def test_github_takes_one_line_of_json() -> None:
    text = github(made(2, "arch"))
    assert text.count("\n") == 1
    assert json.loads(text) == {
        "include": [
            {"name": "x86_64 1/2", "shard": "1/2", "arch": "x86_64", "kernels": "6.1-x86_64 6.12-x86_64"},
            {"name": "arm64 2/2", "shard": "2/2", "arch": "arm64", "kernels": "6.1-arm64"},
        ]
    }


def test_an_empty_shard_is_a_job_too_which_reports_that() -> None:
    assert json.loads(github(made(12)))["include"][-1] == {"name": "12/12", "shard": "12/12", "arch": "", "kernels": ""}


def test_gitlab_takes_a_job_to_extend(tmp_path: Path) -> None:
    text = gitlab(made(2, "arch"))
    assert yaml.safe_load(text)[".bpfmatrix-shards"]["parallel"]["matrix"][1] == {
        "SHARD": "2/2",
        "ARCH": "arm64",
        "KERNELS": "6.1-arm64",
    }
    assert '--shard "$SHARD" --by arch\n' in text
    job = "test:\n  extends: .bpfmatrix-shards\n  script: [bpfmatrix matrix --arch all --shard $SHARD]\n"
    (tmp_path / "ci.yml").write_text(text + job)
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform"]
    done = subprocess.run([*check, "gitlab-ci", str(tmp_path / "ci.yml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_json_has_all_of_it() -> None:
    found = json.loads(as_json(made(2)))
    assert {key: found[key] for key in ("schema", "plan", "lock", "by", "seconds")} == {
        "schema": 1,
        "plan": "p1",
        "lock": "l1",
        "by": "",
        "seconds": 12.2,
    }
    assert [(each["shard"], each["seconds"], each["cases"]) for each in found["shards"]] == [
        ("1/2", 6.0, ["a", "b"]),
        ("2/2", 6.2, ["a", "b"]),
    ]
    assert found["shards"][0]["rows"] == [{"name": "6.1-x86_64", "arch": "x86_64", "seconds": 6.0, "recorded": True}]


@pytest.mark.parametrize(("render", "most"), [(github, MOST_GITHUB), (gitlab, MOST_GITLAB)])
def test_more_jobs_than_a_ci_runs_are_refused(render: object, most: int) -> None:
    assert callable(render)
    render(made(most))
    with pytest.raises(UsageError, match=f"at most {most} jobs"):
        render(made(most + 1))
