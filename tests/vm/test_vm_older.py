"""The agent on a kernel older than any that Debian has: in a guest whose newer calls fail as they did then.

The kernel is 5.10; system calls of 5.1 and later, and commands of bpf(2) that are newer than 5.5, fail for the agent.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest
from projects import INPUTS, ROOT, TemporaryProject, run

from harness.facts.records import CaseRecord
from harness.facts.transcript import Transcript
from harness.host.cache import Cache
from harness.judge.cells import cell_of
from harness.model.architectures import ARCHITECTURES
from harness.model.results import CellResult, Verdict
from harness.run.checking import with_objects
from harness.run.options import Options
from harness.run.prepared import load_plan
from harness.scenario.case import Case, units
from harness.scenario.jobs import job_of
from harness.supply.own.said import Given
from harness.supply.project import Project
from harness.supply.supplies import Supplies

pytestmark = pytest.mark.vm

KERNEL, VERSION = "5.10-x86_64", "5.10.251-1"
DECLARED = ("kprobe-fentry-fexit", "03-optional-section", "10b-globals-default")
CHECKED = "04-one-of-many"
FOLDER = PurePosixPath("/opt/older")
START = f"""\
import sys
sys.path[:0] = [{str(FOLDER)!r}]
from older_kernel import become_older
become_older(commands=True)
from harness.guest_agent import main
main({str(FOLDER / "job.json")!r})
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[CellResult, CaseRecord]]:
    """What cases of a project, and the programs of an object, came to, and what the agent reported of them."""
    folder = tmp_path_factory.mktemp("older")
    project = TemporaryProject(folder / "project", kernels=[KERNEL])
    project.committed(DECLARED[0])
    for name in DECLARED[1:]:
        shutil.copytree(INPUTS / name, project.folder / "bpf" / name)
    options = Options(project=Project(matrix_file=project.matrix_file), kernels=[KERNEL])
    of_object = with_objects(options, [INPUTS / CHECKED / "prog.bpf.c"], Given())
    cases: list[tuple[Case, Mapping[str, PurePosixPath]]] = []
    pushed: dict[Path, PurePosixPath] = {
        **{folder / name: FOLDER / name for name in ("job.json", "start.py")},
        ROOT / "tests/unit/agent/older_kernel.py": FOLDER / "older_kernel.py",
        ROOT / "harness/agent": FOLDER / "harness/agent",
        **{ROOT / f"harness/{name}.py": FOLDER / f"harness/{name}.py" for name in ("__init__", "guest_agent")},
    }
    for given in (options, of_object):
        matrix, plan = load_plan(given)
        made = Supplies(given.project, matrix, cache=Cache()).build(plan.cases, ARCHITECTURES["x86_64"])
        assert not made.faults and not made.mistakes
        for name, case in made.cases.items():
            places = {file: FOLDER / f"{name}-{number}.o" for number, file in enumerate(made.files[name])}
            pushed |= {made.files[name][file]: place for file, place in places.items()}
            cases += [(unit, places) for unit in units(case)]
    (folder / "job.json").write_text(json.dumps(job_of(cases, deadline=60)))
    (folder / "start.py").write_text(START)
    pushes = [word for source, place in pushed.items() for word in ("--push", f"{source}:{place}")]
    words: tuple[str | Path, ...] = ("--matrix-file", project.matrix_file, "--results", folder / "r", *pushes)
    done = run("exec", *words, "--", "python3", str(FOLDER / "start.py"), seconds=300)
    assert done.code == 0, done.output
    (cell,) = json.loads((folder / "r/latest/report.json").read_text())["cells"]
    transcript = Transcript()
    for line in cell["output"].splitlines():
        if line.startswith("{"):
            transcript.feed(line.encode())
    records = {case.id: transcript.record(case.id) for case, _ in cases}
    return {
        case.id: (cell_of(KERNEL, case, records[case.id], arch="x86_64", version=VERSION), records[case.id])
        for case, _ in cases
    }


@pytest.mark.parametrize("name", DECLARED)
def test_what_needs_no_newer_call_works(name: str, found: Mapping[str, tuple[CellResult, CaseRecord]]) -> None:
    cell, _ = found[name]
    assert cell.verdict == Verdict.PASS, cell.outcome.reason


@pytest.mark.parametrize("program", ["fine", "also_fine"])
def test_programs_are_attached_and_what_is_not_counted_is_said(
    program: str, found: Mapping[str, tuple[CellResult, CaseRecord]]
) -> None:
    cell, record = found[f"prog/{program}"]
    assert (cell.verdict, cell.outcome.kind) == (Verdict.PASS, "works"), cell.outcome.reason
    (workload,) = [step for step in record.steps if step["op"] == "workload"]
    assert "Linux 5.8" in workload["uncounted"]


def test_what_is_refused_is_as_on_newer_kernels(found: Mapping[str, tuple[CellResult, CaseRecord]]) -> None:
    outcome = found["prog/needs_newer"][0].outcome
    assert (outcome.kind, outcome.errno_name, outcome.refusal) == ("refused", "EINVAL", "helper-missing")
