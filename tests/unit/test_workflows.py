"""The workflow files and actions: valid, pinned, with least permissions, and doing what they promise.

Two linters (check-jsonschema, zizmor) say whether GitHub would accept the files and whether they are safe. There is no
actionlint: neither Debian nor a package of Python has it without a download. What it would find beyond them is looked
for by us: expressions that name what is not there (test_workflow_names.py), and scripts that are no bash.
The rules of this project are functions here that return their complaints, each proven on a bad workflow too.
What the steps do is in tests/vm/test_vm_workflows.py, which runs them.
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
ACTIONS = [ROOT / "action.yml", ROOT / "comment/action.yml"]
COMPAT, GITLAB = ROOT / "examples/ci/compat.yml", ROOT / "examples/ci/gitlab.yml"
BIN = Path(sys.executable).parent

SUITES = ["bookworm", "trixie", "forky"]
"""The Debians that the README promises."""

IMAGES = {f"debian:{suite}" for suite in SUITES}
"""The container images that may be used; .github/zizmor.yml says why they are named by tag."""

GRANTS = {
    ("ci", "test"): {"contents": "read"},
    ("ci", "matrix"): {"contents": "read", "actions": "read"},
    ("ci", "comment"): {"contents": "read", "pull-requests": "write"},
    ("nightly", "plan"): {"contents": "read", "actions": "read"},
    ("nightly", "matrix"): {"contents": "read"},
    ("nightly", "report"): {"contents": "read"},
    ("nightly", "tools"): {"contents": "read"},
    ("nightly", "mutants"): {"contents": "read"},
    ("nightly", "lock"): {"contents": "read"},
    ("nightly", "propose"): {"contents": "write", "pull-requests": "write"},
    ("nightly", "suites"): {"contents": "read"},
    ("pages", "build"): {"contents": "read", "actions": "read"},
    ("pages", "deploy"): {"pages": "write", "id-token": "write"},
    ("release", "plan"): {"contents": "read"},
    ("release", "matrix"): {"contents": "read"},
    ("release", "bundle"): {"contents": "read"},
    ("release", "attest"): {"id-token": "write", "attestations": "write"},
    ("release", "attach"): {"contents": "write"},
    ("compat", "check"): {"contents": "read"},
    ("compat", "report"): {"contents": "read", "actions": "read"},
    ("compat", "comment"): {"pull-requests": "write"},
}
"""What each job's token may do. A new job or a wider grant has to be written here as well."""

SHARED_STEPS = {"Check out", "Pass KVM through"}
"""Steps that are the same in every workflow that has them."""

USES = re.compile(r"^\s*(?:-\s+)?uses:\s*(?P<action>\S+)(?P<comment>.*)$", re.MULTILINE)
PINNED = re.compile(r"[\w.-]+(?:/[\w.-]+)+@[0-9a-f]{40}")
OWN = {"./", "./comment"}
"""The actions of this repository, as its workflows name them: those of the checkout."""
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
    """Yield the steps of a workflow, each with the name of its job; of an action without one."""
    for job_name, job in workflow.get("jobs", {"": workflow.get("runs")}).items():
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
        if match["action"] not in OWN
        and (not PINNED.fullmatch(match["action"]) or not VERSION_COMMENT.fullmatch(match["comment"]))
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
    matrix = job.get("strategy", {}).get("matrix", {})
    suites = matrix.get("suite", []) if isinstance(matrix, dict) else []
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
every = pytest.mark.parametrize("path", [*WORKFLOWS, COMPAT], ids=lambda path: path.stem)
with_steps = pytest.mark.parametrize(
    "path", [*WORKFLOWS, COMPAT, *ACTIONS], ids=lambda path: str(path.relative_to(ROOT))
)


def test_the_four_workflows_are_all_there_is() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "nightly.yml", "pages.yml", "release.yml"]


def test_each_workflow_starts_when_it_should() -> None:
    # YAML 1.1 reads the bare key `on` as true.
    triggers = {path.stem: load(path)[True] for path in WORKFLOWS}
    assert triggers["ci"].keys() == {"push", "pull_request"}
    assert triggers["nightly"].keys() == {"schedule", "workflow_dispatch"}
    assert triggers["pages"].keys() == {"push", "schedule", "workflow_dispatch"}
    assert triggers["release"] == {"release": {"types": ["published"]}}


@every
def test_schema_accepts(path: Path) -> None:
    done = schema("vendor.github-workflows", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_schema_accepts_dependabot() -> None:
    done = schema("vendor.dependabot", GITHUB / "dependabot.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.parent.name)
def test_schema_accepts_an_action(path: Path, tmp_path: Path) -> None:
    assert schema("vendor.github-actions", path).returncode == 0
    wrong = tmp_path / "action.yml"
    wrong.write_text(path.read_text().replace("using:", "use:"))
    assert schema("vendor.github-actions", wrong).returncode == 1


def test_schema_accepts_the_file_for_gitlab(tmp_path: Path) -> None:
    transform = ("--data-transform", "gitlab-ci")
    done = tool("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", *transform, GITLAB)
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "gitlab.yml"
    wrong.write_text(GITLAB.read_text().replace("parallel: 2", "parallel: many"))
    assert tool("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", *transform, wrong).returncode == 1


def test_schema_refuses_a_wrong_workflow(bad: Path) -> None:
    bad.write_text(BAD.replace("runs-on", "run-on"))
    assert schema("vendor.github-workflows", bad).returncode == 1


def test_zizmor_finds_nothing() -> None:
    done = zizmor("--config", GITHUB / "zizmor.yml", GITHUB, *ACTIONS, COMPAT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings to report" in done.stdout
    for path in (*WORKFLOWS, *ACTIONS, COMPAT):
        assert str(path.relative_to(ROOT)) in done.stderr, "zizmor did not look at this file"


def test_zizmor_ignores_only_what_is_justified() -> None:
    done = zizmor("--no-ignores", "--config", GITHUB / "zizmor.yml", GITHUB, *ACTIONS, COMPAT)
    found = set(re.findall(r"^\w+\[([\w-]+)\]:", done.stdout, re.MULTILINE))
    assert found == {"unpinned-images", "self-repository"}
    assert not [path.name for path in (*WORKFLOWS, *ACTIONS, COMPAT) if "zizmor: ignore" in path.read_text()]


def test_zizmor_refuses_a_wrong_workflow(bad: Path) -> None:
    done = zizmor("--no-config", bad)
    assert done.returncode != 0
    for audit in ("template-injection", "artipacked", "unpinned-uses", "excessive-permissions"):
        assert f"[{audit}]" in done.stdout


@with_steps
def test_actions_are_pinned(path: Path) -> None:
    text = path.read_text()
    assert pin_complaints(text) == []
    assert len(USES.findall(text)) == sum("uses" in step for _, step in steps(load(path)))


def test_one_action_has_one_pin() -> None:
    pins: dict[str, set[str]] = {}
    for path in (*WORKFLOWS, *ACTIONS, COMPAT):
        for action, comment in USES.findall(path.read_text()):
            name, _, commit = action.partition("@")
            if action in OWN:
                continue
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


@every
def test_permissions_are_least(path: Path) -> None:
    assert permission_complaints(load(path), path.stem) == []


@by_name
def test_jobs_run_in_the_container(path: Path) -> None:
    assert container_complaints(load(path)) == []


@with_steps
def test_no_expression_in_a_script(path: Path) -> None:
    assert run_complaints(load(path)) == []


@every
def test_checkout_leaves_no_token(path: Path) -> None:
    assert checkout_complaints(load(path)) == []


@every
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


WRITING = [(name, job) for (name, job), grant in GRANTS.items() if "write" in grant.values()]
PATHS = {path.stem: path for path in (*WORKFLOWS, COMPAT)}


@pytest.mark.parametrize(("name", "job"), WRITING)
def test_the_writing_token_meets_no_code_of_the_repository(name: str, job: str) -> None:
    own = [step for job_name, step in steps(load(PATHS[name])) if job_name == job]
    assert own
    assert not [
        step
        for step in own
        if re.search(r"\./run|bpfmatrix(?![-:])|python", f"{step.get('run', '')}".replace("python3\n", ""))
        and "apt-get install" not in step["run"]
    ]
    # The code of a pull request is never there; that of the branch it is for may be.
    for step in own:
        if step.get("uses", "").startswith("actions/checkout@") and "pull_request" in load(PATHS[name])[True]:
            assert step["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"


@pytest.mark.parametrize(("name", "job"), [("ci", "comment"), ("compat", "comment")])
def test_a_comment_is_for_pull_requests_of_the_repository_itself(name: str, job: str) -> None:
    condition = load(PATHS[name])["jobs"][job]["if"]
    assert "github.event_name == 'pull_request'" in condition
    assert "github.event.pull_request.head.repo.full_name == github.repository" in condition


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


def runs_guests(step: dict[str, Any]) -> bool:
    """Whether a step has guests: one of `./run`'s, or the action's with something to run."""
    if step.get("uses", "").startswith(("./", "OWNER/")):
        return "install-only" not in step["with"] and "file" not in step["with"]
    return bool(re.search(r"\./run (matrix|test|mutants)", step.get("run", "")))


def test_kvm_is_allowed_wherever_guests_run() -> None:
    found = [
        job
        for path in (*WORKFLOWS, COMPAT)
        for job in load(path)["jobs"].values()
        if any(runs_guests(step) for step in job["steps"])
    ]
    assert len(found) == 8
    for job in found:
        assert '--device-cgroup-rule "c 10:232 rwm"' in job["container"]["options"]
        assert "--device " not in job["container"]["options"], "fails on a runner without KVM"
        through = [
            step
            for step in job["steps"]
            if step.get("name") == "Pass KVM through" or ("uses" in step and runs_guests(step))
        ]
        assert through, "the action passes it through by itself"


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


def test_the_results_of_a_shard_are_kept_whatever_it_did() -> None:
    job = load(GITHUB / "workflows" / "release.yml")["jobs"]["matrix"]["steps"]
    names = [step.get("name") for step in job]
    (kept,) = job[names.index("Run a shard") + 1 :]
    assert kept["uses"].startswith("actions/upload-artifact@")
    assert "results/" in kept["with"]["path"].splitlines()
    assert kept["if"] == "always()"
    # And the shard's own exit code decides the job.
    assert not [step for step in job if "continue-on-error" in step]


def test_the_release_gets_the_bundle_that_was_made_verified_and_kept() -> None:
    workflow = load(GITHUB / "workflows" / "release.yml")
    made = step_named(workflow, "bundle", "Make the bundle")["run"]
    folder = re.findall(r"--output (\S+)", made)[0]
    verified = step_named(workflow, "bundle", "Verify it")["run"].split()
    assert [word for word in verified if word.startswith("results/")] == [folder, f"{folder}.tar.gz"]
    assert step_named(workflow, "bundle", "Keep the bundle")["with"]["path"].split() == [
        f"{folder}/",
        f"{folder}.tar.gz",
    ]
    name = folder.removeprefix("results/")
    attested = step_named(workflow, "attest", "Attest it")["with"]["subject-path"].split()
    assert attested == [f"bundle/{name}.tar.gz", f"bundle/{name}/*"]
    attached = step_named(workflow, "attach", "Attach it to the release")["run"].partition('"$TAG"')[2].split()
    assert attached == [f"{name}.tar.gz", f"{name}/*"]


def test_each_shard_of_a_release_is_one_of_the_plan() -> None:
    workflow = load(GITHUB / "workflows" / "release.yml")
    planned = step_named(workflow, "plan", "Plan")["run"]
    run = step_named(workflow, "matrix", "Run a shard")["run"]
    assert "--arch all --by arch" in planned
    assert "--arch all --by arch" in run
    assert "--cold" in run


def test_a_release_rests_on_no_cache() -> None:
    assert "actions/cache" not in (GITHUB / "workflows" / "release.yml").read_text()


@with_steps
def test_scripts_are_bash(path: Path) -> None:
    written = load(path)
    if "jobs" in written:
        assert written["defaults"] == {"run": {"shell": "bash"}}
    for _, step in steps(written):
        if "run" in step:
            assert "jobs" in written or step["shell"] == "bash"
            assert is_bash(step["run"]), step["name"]


def test_scripts_for_gitlab_are_bash() -> None:
    for job in load(GITLAB).values():
        for key in ("before_script", "script"):
            assert all(is_bash(each) for each in (job.get(key, []) if isinstance(job, dict) else []))


def is_bash(script: str) -> bool:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode == 0
