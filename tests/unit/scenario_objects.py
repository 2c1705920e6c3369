"""Scenarios that run on this very host, as far as they need no privilege: objects are opened, not loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from unit_samples import ROOT, X86

from harness.facts.records import CaseRecord
from harness.scenario.case import Case, Script
from harness.supply.objects import compile_flags, compile_object

RUN = """
import json, sys
from harness.agent.libbpf import Libbpf
from harness.agent.reporter import Reporter
from harness.agent.scenario_run import Scenario
reporter = Reporter(int(sys.argv[2]))
Scenario(reporter, Libbpf(), json.loads(sys.argv[1])).run()
reporter.flush()
"""
FILE = "bpf/tried/scenario.py"


def compiled(folder: Path) -> Path:
    """Compile the target of the scenarios in tests/inputs."""
    made = folder / "target.o"
    source = ROOT / "tests/inputs/scenarios/target.bpf.c"
    compile_object(source, made, clang="clang", flags=compile_flags(X86, include=()))
    return made


def ran(source: str, target: Path, *, alone: bool = False) -> list[dict[str, Any]]:
    """Run a scenario in a process of its own; return the lines that it reported."""
    objects = {"target": {"file": "target.bpf.c", "path": str(target)}}
    case = {"id": "tried", "alone": alone, "scenario": {"file": FILE, "source": source, "objects": objects}}
    reading, writing = os.pipe()
    argv = [sys.executable, "-c", RUN, json.dumps(case), str(writing)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, pass_fds=[writing])
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        lines = [json.loads(line) for line in file.read().splitlines()]
    assert done.returncode == 0, done.stderr
    return lines


def record_of(lines: list[dict[str, Any]]) -> CaseRecord:
    """Return what the host makes of the lines, of a case that came to its end."""
    end: dict[str, Any] = {
        "complete": True,
        "signal": None,
        "timed_out": False,
        "step": None,
        "left": [],
        "kernel_log": [],
    }
    return CaseRecord(
        steps=tuple(line for line in lines if line["type"] == "step"),
        announced=tuple(line for line in lines if line["type"] == "announced"),
        events=tuple(line for line in lines if line["type"] == "event"),
        end={**end, "seconds": 0.1},
    )


def case_of(source: str) -> Case:
    """Return the value of a case that is this scenario."""
    return Case(id="tried", title="t", scenario=Script(file=FILE, source=source))
