"""`invoke bench --quick` with real guests: what it leaves. How long anything takes is not this test's business."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from projects import KERNEL, run

from harness.bench.document import RATIOS

pytestmark = [pytest.mark.vm, pytest.mark.nightly]

LEFT_OUT = {"jobs2_over_ideal"}
OPTIONAL = {"virtme_ng_over_cold", "virtme_ng_over_warm"}


def test_a_quick_bench(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- bench: begin -->\n<!-- bench: end -->\n")
    done = run("bench", "--quick", "--kernel", KERNEL, "--output", tmp_path / "out", "--page", page)
    assert done.code == 0, done.output
    document = json.loads((tmp_path / "out/bench.json").read_text())
    assert document["schema"] == 1
    assert (document["kernel"], document["rounds"]) == (KERNEL, 1)
    assert set(document["ratios"]) == set(RATIOS)
    measured = {name: value for name, value in document["ratios"].items() if value is not None}
    assert set(RATIOS) - set(measured) - OPTIONAL == LEFT_OUT
    assert set(document["notes"]) == set(RATIOS) - set(measured)
    assert all(value > 0 for value in measured.values())
    assert document["floor"]["samples"][0] > 0
    for start, phases in (("cold", {"start", "kernel", "userland", "cases"}), ("warm", {"start", "userland", "cases"})):
        (sample,) = document[start]["samples"]
        assert phases <= set(sample["phases"])
        assert sum(sample["phases"].values()) == pytest.approx(sample["process"], rel=0.01)
        assert sample["process"] > sample["run"] > 0
        assert sample["memory"] > 0
    assert "kernel" not in document["warm"]["phases"], "a warm guest boots no kernel"
    assert [point["cases"] for point in document["added_case"]["samples"][0]] == [1, 10]
    (size,) = document["sizes"]["kernels"]
    assert size["name"] == KERNEL
    assert min(size["disk"], size["modules"], size["snapshot"], size["downloaded"]) > 0
    assert document["problems"] == []
    assert "| cold run / floor |" in page.read_text()
    assert (tmp_path / "page.svg").read_text().startswith("<svg ")
