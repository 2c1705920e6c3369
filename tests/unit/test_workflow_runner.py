"""The runner of workflows does with them what GitHub does, as far as ours go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_expressions import evaluate, filled
from workflow_runner import Here, Runner

CONTEXTS = {"github": {"ref_name": "main", "event": {}}, "steps": {"a": {"outputs": {"x": "1"}, "outcome": "success"}}}
FUNCTIONS: dict[str, Any] = {
    "always": lambda: True,
    "failed": lambda: False,
    "format": lambda text, *values: text.format(*values),
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("github.ref_name == 'MAIN'", True),
        ("github.event.pull_request.number", None),
        ("github.event.number || github.ref_name", "main"),
        ("!failed() && steps.a.outputs.x != ''", True),
        ("steps.b.outputs.x == ''", True),
        ("(failed() || always()) && steps.a.outcome == 'failure'", False),
        ("format('{0}-{1}', 'it''s', steps['a'].outputs.x)", "it's-1"),
        ("${{ steps.a.outputs.x }}", "1"),
        ("true && 2", 2),
    ],
)
def test_an_expression_has_its_value(text: str, value: Any) -> None:
    assert evaluate(text, CONTEXTS, FUNCTIONS) == value


@pytest.mark.parametrize("text", ["unknown.name", "unknown()", "'open", "github.ref_name 'x'", "a ? b : c"])
def test_what_is_none_is_an_error(text: str) -> None:
    with pytest.raises((KeyError, ValueError)):
        evaluate(text, CONTEXTS, FUNCTIONS)


def test_expressions_are_filled_into_texts() -> None:
    written = {
        "a": ["x-${{ steps.a.outputs.x }}", 1],
        "b": "${{ always() }}",
        "c": "is ${{ always() }}",
        "d": "${{ steps.b }}.",
    }
    assert filled(written, CONTEXTS, FUNCTIONS) == {"a": ["x-1", 1], "b": True, "c": "is true", "d": "."}


def ran(tmp_path: Path, jobs: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the results of jobs, and what each of their steps wrote."""
    for name in ("work", "artifacts", "source"):
        (tmp_path / name).mkdir()
    path = tmp_path / "w.yml"
    path.write_text(yaml.safe_dump({"jobs": jobs}, sort_keys=False))
    runner = Runner(
        machine=Here(),
        workspace=str(tmp_path / "work"),
        source=tmp_path / "source",
        environment={"PATH": "/usr/bin:/bin"},
        github={"repository": "o/r", "ref_name": "main", "server_url": "", "api_url": ""},
        artifacts=tmp_path / "artifacts",
    )
    results = runner.workflow(path)
    return results, {each.step: each.output for each in runner.done}


def test_steps_hand_on_outputs_and_variables(tmp_path: Path) -> None:
    first = {"name": "one", "id": "one", "run": 'echo "x=a=b" >>"$GITHUB_OUTPUT"; echo "V=w" >>"$GITHUB_ENV"'}
    second = {"name": "two", "env": {"X": "${{ steps.one.outputs.x }}"}, "run": 'echo "$X $V"'}
    results, said = ran(tmp_path, {"j": {"steps": [first, second]}})
    assert (results, said["two"]) == ({"j": "success"}, "a=b w\n")


def test_after_a_failure_only_those_run_that_say_so(tmp_path: Path) -> None:
    steps = [
        {"name": "fails", "id": "f", "run": "false | true; echo not reached"},
        {"name": "skipped", "run": "true"},
        {"name": "always", "if": "always()", "run": "true"},
        {"name": "not cancelled", "if": "${{ !cancelled() && steps.f.outcome == 'failure' }}", "run": "true"},
    ]
    jobs = {
        "a": {"steps": steps},
        "b": {"needs": "a", "steps": [{"name": "b", "run": "true"}]},
        "c": {"needs": ["a"], "if": "${{ !cancelled() }}", "steps": [{"name": "c", "run": "true"}]},
    }
    results, said = ran(tmp_path, jobs)
    assert results == {"a": "failure", "b": "skipped", "c": "success"}
    assert [*said] == ["fails", "always", "not cancelled", "c"]
    assert said["fails"] == ""


def test_jobs_share_no_files_but_artifacts_and_outputs(tmp_path: Path) -> None:
    up = {"uses": "actions/upload-artifact@x", "with": {"name": "n", "path": "out/\n!out/left"}}
    down = {"uses": "actions/download-artifact@x", "with": {"pattern": "n*", "path": "in"}}
    make = {
        "name": "make",
        "id": "m",
        "run": 'mkdir out; touch out/kept out/left; echo \'x=[{"k": 1}, {"k": 2}]\' >>"$GITHUB_OUTPUT"',
    }
    jobs = {
        "a": {"outputs": {"x": '{"include": ${{ steps.m.outputs.x }}}'}, "steps": [make, up]},
        "b": {
            "needs": "a",
            "strategy": {"matrix": "${{ fromJSON(needs.a.outputs.x) }}"},
            "steps": [down, {"name": "look", "env": {"K": "${{ matrix.k }}"}, "run": 'echo "$K"; find . -type f'}],
        },
    }
    results, said = ran(tmp_path, jobs)
    assert results == {"a": "success", "b": "success"}
    assert said["look"].split() == ["2", "./in/n/kept"]


def test_an_artifact_that_is_not_there_fails_its_step(tmp_path: Path) -> None:
    steps = [{"uses": "actions/download-artifact@x", "with": {"name": "none"}}, {"name": "next", "run": "true"}]
    results, said = ran(tmp_path, {"a": {"steps": steps}})
    assert (results, said) == ({"a": "failure"}, {})
