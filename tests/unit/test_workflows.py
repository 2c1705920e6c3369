"""The workflow files: valid, pinned, with least permissions, and doing what they promise.

Two linters (check-jsonschema, zizmor) say whether GitHub would accept the files and whether they are safe.
The rules of this project are functions here that return their complaints, each proven on a bad workflow too.
The scripts that decide something are run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").iterdir())
BIN = Path(sys.executable).parent

SUITES = ["bookworm", "trixie", "forky"]
"""The Debians that the README promises."""

IMAGES = {f"debian:{suite}" for suite in SUITES}
"""The container images that may be used; .github/zizmor.yml says why they are named by tag."""

GRANTS = {
    ("ci", "test"): {"contents": "read"},
    ("nightly", "matrix"): {"contents": "read"},
    ("nightly", "suites"): {"contents": "read"},
    ("release", "matrix"): {"contents": "read"},
    ("release", "attach"): {"contents": "write"},
}
"""What each job's token may do. A new job or a wider grant has to be written here as well."""

SHARED_STEPS = {"Check out", "Pass KVM through", "Show the report"}
"""Steps that are the same in every workflow that has them."""

USES = re.compile(r"^\s*(?:-\s+)?uses:\s*(?P<action>\S+)(?P<comment>.*)$", re.MULTILINE)
PINNED = re.compile(r"[\w.-]+(?:/[\w.-]+)+@[0-9a-f]{40}")
VERSION_COMMENT = re.compile(r"\s+# v\d+\.\d+\.\d+")

Workflow = dict[Any, Any]

BAD = """\
name: bad
on: push
jobs:
  build:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v4
      - run: echo "${{ github.event.head_commit.message }}"
"""


def load(path: Path) -> Workflow:
    workflow = yaml.safe_load(path.read_text())
    assert isinstance(workflow, dict), path
    return workflow


def steps(workflow: Workflow) -> Iterator[tuple[str, dict[str, Any]]]:
    for job_name, job in workflow["jobs"].items():
        for step in job["steps"]:
            yield job_name, step


def step_named(workflow: Workflow, job: str, name: str) -> dict[str, Any]:
    (step,) = [step for step in workflow["jobs"][job]["steps"] if step.get("name") == name]
    assert isinstance(step, dict)
    return step


def pin_complaints(text: str) -> list[str]:
    """Return every `uses:` of a workflow's text that is not `owner/name@<40 hex> # vX.Y.Z`."""
    return [
        match.group(0).strip()
        for match in USES.finditer(text)
        if not PINNED.fullmatch(match["action"]) or not VERSION_COMMENT.fullmatch(match["comment"])
    ]


def permission_complaints(workflow: Workflow, name: str) -> list[str]:
    """Return where a workflow grants by default, or a job something else than GRANTS allows it."""
    complaints = []
    if workflow.get("permissions") != {}:
        complaints.append(f"{name}: top-level permissions are {workflow.get('permissions')!r}, not {{}}")
    for job_name, job in workflow["jobs"].items():
        if "permissions" not in job:
            complaints.append(f"{name}/{job_name}: declares no permissions")
        elif job["permissions"] != GRANTS.get((name, job_name)):
            complaints.append(f"{name}/{job_name}: {job['permissions']!r}")
    return complaints


def images(job: dict[str, Any]) -> set[str | None]:
    """Return the images that a job runs in: one, or one for each suite of its strategy."""
    image = job.get("container", {}).get("image")
    suites = job.get("strategy", {}).get("matrix", {}).get("suite", [])
    if image is None or not suites:
        return {image}
    return {image.replace("${{ matrix.suite }}", suite) for suite in suites}


def container_complaints(workflow: Workflow) -> list[str]:
    """Return the jobs that do not run in one of IMAGES, or have a PID 1 which does not reap."""
    complaints = []
    for job_name, job in workflow["jobs"].items():
        container = job.get("container", {})
        complaints += [f"{job_name}: image {image!r}" for image in images(job) if image not in IMAGES]
        if "--init" not in container.get("options", "").split():
            complaints.append(f"{job_name}: no --init")
    return complaints


def run_complaints(workflow: Workflow) -> list[str]:
    """Return the scripts into which an expression is pasted: its value would be code there, not data."""
    return [step["run"] for _, step in steps(workflow) if "${{" in step.get("run", "")]


def checkout_complaints(workflow: Workflow) -> list[str]:
    """Return the jobs whose checkout leaves the token in the work tree."""
    return [
        job_name
        for job_name, step in steps(workflow)
        if step.get("uses", "").startswith("actions/checkout@")
        and step.get("with", {}).get("persist-credentials") is not False
    ]


def limit_complaints(workflow: Workflow) -> list[str]:
    """Return what may run for hours or pile up: jobs without a timeout, a workflow without concurrency."""
    complaints = [f"{name}: no timeout" for name, job in workflow["jobs"].items() if "timeout-minutes" not in job]
    if "group" not in workflow.get("concurrency", {}):
        complaints.append("no concurrency group")
    return complaints


def tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a linter of this virtual environment, without a token that would send it to the network."""
    hidden = ("GH_TOKEN", "GITHUB_TOKEN", "ZIZMOR_GITHUB_TOKEN", "GH_HOST")
    return subprocess.run(
        [BIN / name, *arguments],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key not in hidden},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def schema(builtin: str, path: Path) -> subprocess.CompletedProcess[str]:
    return tool("check-jsonschema", "--builtin-schema", builtin, path)


def zizmor(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run zizmor with every audit that needs no network, its strictest persona and no severity left out."""
    return tool(
        "zizmor",
        "--offline",
        "--color",
        "never",
        "--no-progress",
        "--strict-collection",
        "--persona=auditor",
        *arguments,
    )


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yml"
    path.write_text(BAD)
    return path


by_name = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def test_the_three_workflows_are_all_there_is() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "nightly.yml", "release.yml"]


def test_each_workflow_starts_when_it_should() -> None:
    # YAML 1.1 reads the bare key `on` as true.
    triggers = {path.stem: load(path)[True] for path in WORKFLOWS}
    assert triggers["ci"].keys() == {"push", "pull_request"}
    assert triggers["nightly"].keys() == {"schedule", "workflow_dispatch"}
    assert triggers["release"] == {"release": {"types": ["published"]}}


@by_name
def test_schema_accepts(path: Path) -> None:
    done = schema("vendor.github-workflows", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_schema_accepts_dependabot() -> None:
    done = schema("vendor.dependabot", GITHUB / "dependabot.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_schema_refuses_a_wrong_workflow(bad: Path) -> None:
    bad.write_text(BAD.replace("runs-on", "run-on"))
    assert schema("vendor.github-workflows", bad).returncode == 1


def test_zizmor_finds_nothing() -> None:
    done = zizmor("--config", GITHUB / "zizmor.yml", GITHUB)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings to report" in done.stdout
    for path in WORKFLOWS:
        assert path.name in done.stderr, "zizmor did not look at this file"


def test_zizmor_ignores_only_what_is_justified() -> None:
    done = zizmor("--no-ignores", "--config", GITHUB / "zizmor.yml", GITHUB)
    found = set(re.findall(r"^\w+\[([\w-]+)\]:", done.stdout, re.MULTILINE))
    assert found == {"unpinned-images"}
    assert not [path.name for path in WORKFLOWS if "zizmor: ignore" in path.read_text()]


def test_zizmor_refuses_a_wrong_workflow(bad: Path) -> None:
    done = zizmor("--no-config", bad)
    assert done.returncode != 0
    for audit in ("template-injection", "artipacked", "unpinned-uses", "excessive-permissions"):
        assert f"[{audit}]" in done.stdout


@by_name
def test_actions_are_pinned(path: Path) -> None:
    text = path.read_text()
    assert pin_complaints(text) == []
    assert len(USES.findall(text)) == sum("uses" in step for _, step in steps(load(path)))


def test_one_action_has_one_pin() -> None:
    pins: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for action, comment in USES.findall(path.read_text()):
            name, _, commit = action.partition("@")
            # actions/cache/restore and actions/cache/save are folders of one repository.
            pins.setdefault("/".join(name.split("/")[:2]), set()).add(commit + comment)
    assert {name: len(found) for name, found in pins.items()} == dict.fromkeys(pins, 1)


@pytest.mark.parametrize(
    "line",
    [
        "- uses: actions/checkout@v7",
        "- uses: actions/checkout@v7 # v7.0.1",
        "  uses: actions/checkout@3d3c42e",
        "  uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
        "  uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7",
        "  uses: actions/checkout",
        "  uses: docker://debian:trixie # v1.2.3",
    ],
)
def test_pins_that_are_none(line: str) -> None:
    assert pin_complaints(f"steps:\n{line}\n") == [line.strip()]


@by_name
def test_permissions_are_least(path: Path) -> None:
    assert permission_complaints(load(path), path.stem) == []


@by_name
def test_jobs_run_in_the_container(path: Path) -> None:
    assert container_complaints(load(path)) == []


@by_name
def test_no_expression_in_a_script(path: Path) -> None:
    assert run_complaints(load(path)) == []


@by_name
def test_checkout_leaves_no_token(path: Path) -> None:
    assert checkout_complaints(load(path)) == []


@by_name
def test_everything_ends(path: Path) -> None:
    assert limit_complaints(load(path)) == []


@pytest.mark.parametrize(
    ("complaints", "count"),
    [
        (lambda workflow: permission_complaints(workflow, "ci"), 2),
        (container_complaints, 2),
        (run_complaints, 1),
        (checkout_complaints, 1),
        (limit_complaints, 2),
    ],
    ids=["permissions", "container", "run", "checkout", "limits"],
)
def test_rules_complain(bad: Path, complaints: Callable[[Workflow], list[str]], count: int) -> None:
    assert len(complaints(load(bad))) == count


def test_a_wider_grant_is_a_complaint() -> None:
    workflow = load(GITHUB / "workflows" / "ci.yml")
    workflow["jobs"]["test"]["permissions"]["contents"] = "write"
    assert permission_complaints(workflow, "ci") == ["ci/test: {'contents': 'write'}"]


def test_the_writing_token_meets_no_code_of_the_repository() -> None:
    workflow = load(GITHUB / "workflows" / "release.yml")
    attach = [step for job_name, step in steps(workflow) if job_name == "attach"]
    assert not [step for step in attach if step.get("uses", "").startswith("actions/checkout@")]
    assert not [step for step in attach if "./run" in step.get("run", "")]


@pytest.mark.parametrize(("name", "job"), [("ci", "test"), ("nightly", "suites")])
def test_the_promised_debians_are_all_tried(name: str, job: str) -> None:
    found = load(GITHUB / "workflows" / f"{name}.yml")["jobs"][job]
    assert images(found) == IMAGES
    assert found["strategy"]["fail-fast"] is False
    assert any("./run test" in step.get("run", "") for step in found["steps"])


def test_what_is_left_to_the_nightly_workflow_runs_there() -> None:
    job = load(GITHUB / "workflows/nightly.yml")["jobs"]["suites"]
    assert "./run test --nightly" in [step.get("run") for step in job["steps"]]


def test_a_job_in_another_debian_is_a_complaint() -> None:
    workflow = load(GITHUB / "workflows" / "ci.yml")
    workflow["jobs"]["test"]["strategy"]["matrix"]["suite"] = ["trixie", "buster"]
    assert container_complaints(workflow) == ["test: image 'debian:buster'"]


def test_kvm_is_allowed_wherever_guests_run() -> None:
    jobs = [
        job
        for path in WORKFLOWS
        for job in load(path)["jobs"].values()
        if any("./run" in step.get("run", "") for step in job["steps"])
    ]
    assert len(jobs) == 4
    for job in jobs:
        assert '--device-cgroup-rule "c 10:232 rwm"' in job["container"]["options"]
        assert "--device " not in job["container"]["options"], "fails on a runner without KVM"
        assert "Pass KVM through" in [step.get("name") for step in job["steps"]]


def test_shared_steps_have_not_drifted() -> None:
    seen: dict[str, list[dict[str, Any]]] = {}
    for path in WORKFLOWS:
        for _, step in steps(load(path)):
            if step.get("name") in SHARED_STEPS:
                seen.setdefault(step["name"], []).append(step)
    assert seen.keys() == SHARED_STEPS
    for name, copies in seen.items():
        assert len(copies) > 1, name
        assert all(copy == copies[0] for copy in copies), name


@pytest.mark.parametrize(("name", "shown"), [("nightly", ["Show what survived"]), ("release", [])])
def test_summary_and_artifacts_come_whatever_the_matrix_did(name: str, shown: list[str]) -> None:
    job = load(GITHUB / "workflows" / f"{name}.yml")["jobs"]["matrix"]["steps"]
    names = [step.get("name") for step in job]
    after = job[names.index("Run the matrix") + 1 :]
    uploads = [step for step in after if step.get("uses", "").startswith("actions/upload-artifact@")]
    assert "results/" in uploads[0]["with"]["path"].splitlines()
    summaries = [step["name"] for step in after if "GITHUB_STEP_SUMMARY" in step.get("run", "")]
    assert summaries == ["Show the report", *shown]
    assert all(step["if"].startswith("always()") for step in after)
    # And the matrix's own exit code decides the job.
    assert not [step for step in job if "continue-on-error" in step]


def test_the_release_gets_the_files_that_were_kept() -> None:
    workflow = load(GITHUB / "workflows" / "release.yml")
    kept = step_named(workflow, "matrix", "Keep the report")["with"]["path"].split()
    attached = step_named(workflow, "attach", "Attach it to the release")["run"].partition('"$TAG"')[2].split()
    assert attached == ["report.json", "junit.xml", "report.md", "report.html"]
    assert kept == [f"results/latest/{name}" for name in attached]


def test_a_release_rests_on_no_cache() -> None:
    assert "actions/cache" not in (GITHUB / "workflows" / "release.yml").read_text()


def bash(step: dict[str, Any], *, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a step's script as GitHub does with `shell: bash`."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@by_name
def test_scripts_are_bash(path: Path) -> None:
    workflow = load(path)
    assert workflow["defaults"] == {"run": {"shell": "bash"}}
    for _, step in steps(workflow):
        if "run" in step:
            done = subprocess.run(
                ["bash", "-n"], input=step["run"], capture_output=True, text=True, timeout=30, check=False
            )
            assert done.returncode == 0, (step["name"], done.stderr)


@pytest.fixture
def summary(tmp_path: Path) -> Callable[[str | None], str]:
    """Return a function that runs the summary step over a report (None: there is none)."""
    step = step_named(load(GITHUB / "workflows" / "nightly.yml"), "matrix", "Show the report")

    def show(report: str | None) -> str:
        out = tmp_path / "summary.md"
        out.write_text("")
        if report is not None:
            run = tmp_path / "results" / "run-1"
            run.mkdir(parents=True)
            (run / "report.md").write_text(report)
            (tmp_path / "results" / "latest").symlink_to("run-1")
        done = bash(step, cwd=tmp_path, GITHUB_STEP_SUMMARY=str(out))
        assert done.returncode == 0, done.stderr
        return out.read_text()

    return show


def test_summary_is_the_report(summary: Callable[[str | None], str]) -> None:
    assert summary("# Grid\n\n| kernel | case |\n") == "# Grid\n\n| kernel | case |\n"


def test_summary_says_that_there_is_no_report(summary: Callable[[str | None], str]) -> None:
    assert summary(None).startswith("The matrix left no report")


def test_summary_stays_below_the_limit_and_says_so(summary: Callable[[str | None], str]) -> None:
    shown = summary("x" * 2_000_000)
    assert 1_000_000 < len(shown) < 1024 * 1024
    assert "**Cut here" in shown


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_exit_code_of_the_matrix_decides(tmp_path: Path, code: int) -> None:
    step = step_named(load(GITHUB / "workflows" / "nightly.yml"), "matrix", "Run the matrix")
    run = tmp_path / "run"
    run.write_text(f'#!/bin/sh\necho "$@" >arguments\nexit {code}\n')
    run.chmod(0o755)
    output = tmp_path / "output"
    done = bash(step, cwd=tmp_path, GITHUB_OUTPUT=str(output), ARCH="x86_64")
    assert done.returncode == code
    assert output.read_text() == f"code={code}\n"
    assert (tmp_path / "arguments").read_text() == "matrix --cold --arch x86_64\n"
