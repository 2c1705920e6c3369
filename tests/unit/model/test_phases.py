"""The phases of a kernel: one list, which the documents follow."""

from __future__ import annotations

import ast
import json
import re

from unit_samples import ROOT

from harness.bench.pages import COLOURS, MEANINGS
from harness.bench.samples import PHASES
from harness.model.phases import PHASE_SPANS, Phase

DOCUMENT = ROOT / "docs" / "report-json.md"


def test_the_document_has_each_phase_in_order_with_its_span() -> None:
    text = DOCUMENT.read_text(encoding="utf-8").partition("| phase | from, to |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE) == [(p.value, PHASE_SPANS[p]) for p in Phase]


def test_json_has_the_phases_as_plain_keys() -> None:
    assert json.dumps(dict.fromkeys(Phase, 0.5)) == json.dumps(dict.fromkeys([phase.value for phase in Phase], 0.5))


def test_bench_divides_the_boot_and_has_every_other_phase() -> None:
    assert PHASES == (
        "fetch", "start", "kernel", "userland", "connect", "push", "agent", "cases", "shutdown", "rest", "process",
    )  # fmt: skip
    assert list(COLOURS) == list(MEANINGS) == ["floor", *PHASES]


def test_nothing_else_in_the_harness_names_a_phase() -> None:
    """A string that is the name of a phase alone, as the key of an index or an argument of `switch`, `get` or `pop`."""
    found = []
    for path in sorted((ROOT / "harness").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2].strip("_") == "seconds":
                used = [node.slice]
            elif isinstance(node, ast.Call) and re.search(r"(seconds|watch)\.\w+$", ast.unparse(node.func)):
                used = list(node.args)
            else:
                continue
            found += [(path.name, each.value) for each in used if isinstance(each, ast.Constant) and each.value]
    assert found == []
