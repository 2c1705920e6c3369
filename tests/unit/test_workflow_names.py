"""What the expressions of workflows and actions name is there: steps, outputs, needs, inputs, values of a matrix."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit_samples import ROOT

NIGHTLY = ROOT / ".github/workflows/nightly.yml"
FILES = [
    *sorted((ROOT / ".github/workflows").iterdir()),
    ROOT / "examples/ci/compat.yml",
    ROOT / "action.yml",
    ROOT / "comment/action.yml",
]
INSERTED = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
QUOTED = re.compile(r"'[^']*'")
NAMED = re.compile(r"\b(steps|needs|inputs|matrix)\.([\w-]+)(?:\.(outputs|outcome|conclusion|result)(?:\.([\w-]+))?)?")
WRITTEN = re.compile(r"^\s*(?:echo )?[\"']?([\w-]+)=.*$", re.MULTILINE)
OF_OTHERS = {
    "actions/cache": {"cache-hit", "cache-primary-key", "cache-matched-key"},
    "actions/deploy-pages": {"page_url"},
    "actions/upload-artifact": {"artifact-id", "artifact-url", "artifact-digest"},
}
"""The outputs of the actions of others, by their repository (their action.yml)."""
OF_STEPS = {
    "harness.cli.action run": {"code", "folder"},
    "harness.cli.action report": {"report", "junit", "summary", "failed"},
}
"""The outputs that harness/cli/action.py and harness/cli/github.py write, by how they are called."""
PLANNED = {"name", "shard", "arch", "kernels"}
"""What `plan --format github` says of each job."""


def own_action(uses: str) -> dict[str, Any] | None:
    """Return the action of this repository that a step uses, None where it uses none."""
    name = uses.partition("@")[0]
    if not name.startswith(("./", "OWNER/bpfmatrix")):
        return None
    folder = name.removeprefix("OWNER/bpfmatrix").removeprefix(".").strip("/")
    found: dict[str, Any] = yaml.safe_load((ROOT / folder / "action.yml").read_text())
    return found


def outputs_of(step: Mapping[str, Any]) -> set[str]:
    """Return the outputs that a step may have."""
    uses, script = step.get("uses", ""), step.get("run", "")
    if (action := own_action(uses)) is not None:
        return set(action.get("outputs", {}))
    if uses:
        return OF_OTHERS.get("/".join(uses.partition("@")[0].split("/")[:2]), set())
    for call, outputs in OF_STEPS.items():
        if call in script:
            return outputs
    return set(WRITTEN.findall(script)) if "GITHUB_OUTPUT" in script else set()


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text of a part of a file."""
    if isinstance(value, str):
        yield value
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from texts_in(each)


@dataclass(frozen=True)
class Scope:
    """What an expression of a job may name: the steps before it, and so on."""

    steps: Mapping[str, Mapping[str, Any]]
    needs: Mapping[str, Mapping[str, Any]]
    inputs: set[str]
    matrix: set[str]

    def has(self, context: str, name: str, of: str, output: str) -> bool:
        """Whether a name is there, and an output of it where one is asked for."""
        match context:
            case "steps":
                return name in self.steps and (of != "outputs" or output in outputs_of(self.steps[name]))
            case "needs":
                return name in self.needs and (of != "outputs" or output in self.needs[name].get("outputs", {}))
            case "inputs":
                return name in self.inputs
        return name in self.matrix

    def unknown(self, part: Mapping[str, Any]) -> Iterator[str]:
        """Yield what the expressions of a part of a file name that is not there."""
        texts = [*INSERTED.findall("\n".join(texts_in(part))), str(part.get("if", ""))]
        for found in NAMED.findall(QUOTED.sub("", "\n".join(texts))):
            if not self.has(*found):
                yield ".".join(each for each in found if each)


def complaints(written: Mapping[Any, Any]) -> list[str]:
    """Return what expressions of a workflow or an action name that is not there, or not yet, with its job."""
    jobs = written.get("jobs") or {"action": {**written["runs"], "outputs": written.get("outputs", {})}}
    return [f"{name}: {each}" for name, job in jobs.items() for each in _of_job(job, jobs, written)]


def _values(matrix: Mapping[str, Any]) -> set[str]:
    """Return the values that every job of a written matrix has; `include` lists whole jobs."""
    jobs = matrix.get("include", [])
    return (set(matrix) - {"include"}) | (set.intersection(*map(set, jobs)) if jobs else set())


def _of_job(job: Mapping[str, Any], jobs: Mapping[str, Any], written: Mapping[Any, Any]) -> Iterator[str]:
    needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
    yield from (f"needs {each}" for each in needs if each not in jobs)
    matrix = job.get("strategy", {}).get("matrix", {})
    before: dict[str, Mapping[str, Any]] = {}
    scope = Scope(
        steps=before,
        needs={each: jobs[each] for each in needs if each in jobs},
        inputs=set(written.get("inputs", {})),
        matrix=PLANNED if isinstance(matrix, str) else _values(matrix),
    )
    for step in job["steps"]:
        yield from scope.unknown(step)
        if "id" in step:
            before[step["id"]] = step
        known = (own_action(step.get("uses", "")) or {"inputs": step.get("with", {})})["inputs"]
        yield from (f"no input {each}" for each in step.get("with", {}) if each not in known)
    yield from scope.unknown({key: value for key, value in job.items() if key != "steps"})


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_expressions_name_what_is_there(path: Path) -> None:
    assert complaints(yaml.safe_load(path.read_text())) == []


def changed(path: Path, before: str, after: str) -> list[str]:
    text = path.read_text()
    assert before in text
    return complaints(yaml.safe_load(text.replace(before, after)))


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("needs.plan.outputs.matrix", "needs.plan.outputs.matrices", "matrix: needs.plan.outputs.matrices"),
        ("needs.plan.outputs.timings", "needs.lock.outputs.timings", "matrix: needs.lock.outputs.timings"),
        ("matrix.shard }}", "matrix.shards }}", "matrix: matrix.shards"),
        ("steps.plan.outputs.timings", "steps.plan.outputs.time", "plan: steps.plan.outputs.time"),
        ("steps.show.outcome != 'skipped'", "steps.shown.outcome != 'skipped'", "report: steps.shown.outcome"),
        (
            "steps.bpfmatrix.outputs.folder }}",
            "steps.bpfmatrix.outputs.file }}",
            "matrix: steps.bpfmatrix.outputs.file",
        ),
        ("needs: lock", "needs: locks", "propose: needs locks"),
        ("cold: true", "old: true", "matrix: no input old"),
    ],
)
def test_a_name_that_is_not_there_is_a_complaint(before: str, after: str, complaint: str) -> None:
    assert complaint in changed(NIGHTLY, before, after)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("inputs.mirror }}", "inputs.mirrors }}", "action: inputs.mirrors"),
        ("steps.run.outputs.code ", "steps.run.outputs.codes ", "action: steps.run.outputs.codes"),
        ("steps.install.outputs.key }}", "steps.install.outputs.keys }}", "action: steps.install.outputs.keys"),
        ("steps.cache.outputs.cache-hit", "steps.cache.outputs.hit", "action: steps.cache.outputs.hit"),
        ("steps.report.outputs.failed", "steps.report.outputs.wrong", "action: steps.report.outputs.wrong"),
    ],
)
def test_and_so_it_is_in_an_action(before: str, after: str, complaint: str) -> None:
    assert complaint in changed(ROOT / "action.yml", before, after)


def test_text_in_quotes_is_no_name() -> None:
    scope = Scope(steps={}, needs={}, inputs=set(), matrix=set())
    assert [*scope.unknown({"x": "${{ hashFiles('matrix.lock') }}"})] == []
    assert [*scope.unknown({"if": "steps.a.outcome == 'b'"})] == ["steps.a.outcome"]
