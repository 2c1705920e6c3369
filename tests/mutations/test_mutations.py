"""One mutant of each kind on a real kernel: a good case notices them all, a weak one does not, which is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from projects import ROOT, Done, TemporaryProject, run

from harness.mutants.model import Fate, Kind
from harness.mutants.transcripts import read_run

pytestmark = pytest.mark.vm

KERNEL = "6.12-x86_64"
CASE = "subprog-static"


def search(project: TemporaryProject, *arguments: str) -> tuple[Done, dict[str, Any]]:
    """Run the command; return how it ended and what mutants.json says."""
    done = run("mutants", "--matrix-file", project.matrix_file, "--jobs", "1", *arguments)
    found = sorted(project.folder.glob("results/mutants/*/mutants.json"))
    return done, json.loads(found[-1].read_text()) if found else {}


def by_name(document: dict[str, Any]) -> dict[str, str]:
    return {each["mutant"]: each["fate"] for each in document["mutants"]}


def project_with(folder: Path, *, weak: bool) -> TemporaryProject:
    """A project with one case, as it is committed or without what its fexit must say and without its control."""

    def weaken(case: dict[str, Any]) -> None:
        if weak:
            del case["observe"]["trace"][3]["retval"], case["control"]

    project = TemporaryProject(folder, kernels=[KERNEL])
    project.case(CASE, weaken, base=ROOT / "bpf" / CASE)
    return project


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, dict[str, Any], TemporaryProject]:
    project = project_with(tmp_path_factory.mktemp("good") / "project", weak=False)
    return *search(project), project


@pytest.fixture(scope="module")
def weak(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, dict[str, Any], TemporaryProject]:
    project = project_with(tmp_path_factory.mktemp("weak") / "project", weak=True)
    return *search(project), project


def test_a_good_case_notices_every_mutant_of_every_kind(good: tuple[Done, dict[str, Any], TemporaryProject]) -> None:
    done, document, _ = good
    assert done.code == 0 == document["exit_code"], done.output
    fates = by_name(document)
    assert set(fates.values()) <= {Fate.KILLED, Fate.VOID}, fates
    kinds = {each["mutant"]: each["kind"] for each in document["mutants"]}
    wanted = {
        Kind.STEPS: [
            "attach tracer.fexit: left out",
            "detach fentry: left out",
            "trigger run: left out",
            "share-map tracer.trace: left out",
            "set-attach-target tracer.fexit: traces the function target of target instead",
        ],
        Kind.PROGRAMS: [
            "tracer.fentry: emits nothing",
            "tracer.fexit: its retval is always 0",
            "target.target: always returns 0",
            "target.subprog: always returns 0",
        ],
        Kind.EXPECTATIONS: [
            "observe: trace: event 1 (target) dropped",
            "observe: trace: event 3 (subprog) behind the next",
            "observe: trace: event 4 (fexit) with retval 12",
            "control: trace: event 2 (subprog) doubled",
            "trigger run: retval 6",
        ],
    }
    for kind, names in wanted.items():
        assert {name: kinds.get(name) for name in names} == dict.fromkeys(names, kind)
        assert {name: fates[name] for name in names} == dict.fromkeys(names, Fate.KILLED)


def test_mutants_are_killed_by_what_is_seen_not_by_other_steps_than_the_case_has(
    good: tuple[Done, dict[str, Any], TemporaryProject],
) -> None:
    _, document, _ = good
    assert not [each for each in document["mutants"] if "other steps" in each["why"]]
    assert not [each for each in document["mutants"] if each["verdict"] == "error"]


def test_what_a_weak_case_does_not_look_at_survives(weak: tuple[Done, dict[str, Any], TemporaryProject]) -> None:
    done, document, _ = weak
    assert done.code == 1 == document["exit_code"], done.output
    survivors = {name for name, fate in by_name(document).items() if fate == Fate.SURVIVED}
    assert "tracer.fexit: its retval is always 0" in survivors
    assert f"survived: {KERNEL}, {CASE}: tracer.fexit: its retval is always 0 (pass)" in done.output
    assert "tracer.fentry: emits nothing" not in survivors


def test_a_survivor_that_is_explained_is_no_survivor_and_an_explanation_of_none_is_reported(
    weak: tuple[Done, dict[str, Any], TemporaryProject],
) -> None:
    _, document, project = weak
    survivors = [name for name, fate in by_name(document).items() if fate == Fate.SURVIVED]
    entry = {"cases": [CASE], "mutants": survivors, "reason": "this test says so"}
    path = project.folder / "bpf/mutants.yaml"
    path.write_text(json.dumps({"equivalent": [entry]}))
    done, document = search(project)
    assert (done.code, document["stale"]) == (0, []), done.output
    assert {Fate.EQUIVALENT} == {fate for name, fate in by_name(document).items() if name in survivors}
    path.write_text(json.dumps({"equivalent": [entry, {**entry, "mutants": ["tracer.fentry: emits nothing"]}]}))
    done, document = search(project)
    assert (done.code, document["stale"]) == (1, [f"{CASE}: tracer.fentry: emits nothing"]), done.output


def test_expectations_are_judged_on_what_a_run_has_recorded_without_any_guest(
    good: tuple[Done, dict[str, Any], TemporaryProject],
) -> None:
    _, before, project = good
    assert run("matrix", "--matrix-file", project.matrix_file).code == 0
    run_folder = (project.folder / "results/latest").resolve()
    assert [(on.kernel, list(on.records)) for on in read_run(run_folder)] == [(KERNEL, [CASE])]
    done, document = search(project, "--no-guests", "--transcripts", str(run_folder))
    assert done.code == 0, done.output
    wanted = {
        name: fate
        for name, fate in by_name(before).items()
        if ": trace: " in name or (name.startswith("trigger ") and ": retval " in name)
    }
    assert by_name(document) == wanted
    assert document["kernels"] == []
