from __future__ import annotations

import json
from pathlib import Path

import pytest
from answers_samples import kernel, report

from harness.cli.commands import show
from harness.errors import EXIT_UNEXPECTED
from harness.model.shards import Shard
from harness.reports.summary import as_json

MADE = report(
    {"6.1": {"a": "pass", "b": "fail"}, "6.12": {"a": "pass", "b": "fail"}},
    kernels={"6.1": kernel("6.1", seconds={"total": 2.5})},
    exit_code=EXIT_UNEXPECTED,
    notices=("a \x1b[2J notice",),
    shard=Shard(index=1, count=3, plan="", lock="", rows={}, cases={}),
)


def test_it_is_one_line_of_ascii_with_what_the_run_comes_to() -> None:
    text = as_json(MADE, folder="results/1", program="bpfmatrix")
    assert text.count("\n") == 1
    assert text.isascii()
    assert "\x1b" not in text
    found = json.loads(text)
    assert (found["schema"], found["folder"], found["exit_code"], found["shard"]) == (1, "results/1", 1, "1/3")
    assert {key: count for key, count in found["verdicts"].items() if count} == {"pass": 2, "fail": 2}
    assert found["kernels"][0] == {
        "name": "6.1",
        "arch": "x86_64",
        "release": "6.1.1-1-amd64",
        "seconds": 2.5,
        "verdicts": {"pass": 1, "fail": 1},
    }
    (cause,) = found["causes"]
    assert [place["kernel"] for place in cause["results"]] == ["6.1", "6.12"]


def test_stdout_has_nothing_but_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    show(MADE, Path("results/1"), json=True)
    out, err = capsys.readouterr()
    assert json.loads(out)["run"] == MADE.run.id
    assert "shard 1/3: 4 cells" in err


def test_quietly_there_are_the_causes_and_one_more_line(capsys: pytest.CaptureFixture[str]) -> None:
    show(MADE, Path("results/1"), quiet=True, causes=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1. the kernel's (2):"
    assert lines[-1].startswith("shard 1/3: 4 cells (2 kernels × 2 cases): 2 pass, 2 fail. Exit code 1")
    assert sum("kernel" in line for line in lines) == 3
    show(report({"6.1": {"a": "pass"}}), Path("results/1"), quiet=True)
    assert len(capsys.readouterr().out.splitlines()) == 1
