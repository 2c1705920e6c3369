"""Each step of the workflows and actions is run, in the order of its job and with what the jobs hand on to each other.

The checkout has a small matrix, so that what runs for hours at night runs for seconds here; the steps are as they are
written. By default they run on this machine, without what would change it (`AT_NIGHT`; apt-get does nothing).
At night they run in a fresh Debian.
"""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import yaml
from github_api import GitHub, comment, served
from projects import ROOT
from test_in_suite import in_suite
from workflow_runner import Done, Here, Machine, Runner

from harness.cli.sticky_comment import AUTHOR
from harness.host.cache import Cache

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1800)]  # all workflows run for the first of the tests

KERNELS = ("6.1-x86_64", "6.12-x86_64")
CASE = "subprog-global"
SMALLER = (
    ("ci.yml", "5.10-x86_64 6.1-x86_64 6.12-x86_64 7.3-x86_64", KERNELS[0]),
    ("nightly.yml", "--shards 10", "--shards 2"),
    ("nightly.yml", "suite.py ${{ matrix.tools }}", "suite.py opensnoop"),
    ("release.yml", "--shards 10", "--shards 2"),
    ("release.yml", "--case kprobe-fentry-fexit", f"--case {CASE}"),
)
"""What is made smaller of the workflows, as the matrix is."""

EVENTS = {"nightly": "schedule", "ci": "pull_request", "release": "release", "pages": "push"}
"""The workflows of this repository, each with the event that it is tried with."""
SUITE = "trixie"

NOT_RUN = {
    ("ci.yml", "test", "Run the tests"): "it runs these tests, and all others",
    ("nightly.yml", "suites", "Run the tests"): "it runs these tests, and all others",
}
"""Steps that are never run here, and why."""

AT_NIGHT = {
    ("*", "*", "Pass KVM through"): "it may make a device and a rule of udev",
    ("nightly.yml", "mutants", "Search for mutants that survive"): "many guests",
    ("nightly.yml", "lock", "Look for new kernels"): "it asks the mirror for the indexes of all suites",
    ("nightly.yml", "propose", "*"): "it needs what the job lock has found",
    ("nightly.yml", "tools", "*"): "it fetches packages for the guests, and builds an image with them",
    ("nightly.yml", "suites", "*"): "no more than the action's own steps show",
    ("release.yml", "*", "*"): "as many guests as the nightly run",
    ("pages.yml", "*", "*"): "tests/unit/site build the site by day",
}
"""Steps that run at night alone, as patterns, and why."""

GH = r"""#!/bin/bash
# A stand-in for gh: what it is asked for is noted, and answered from files.
set -eu
state=@STATE@
echo "$*" >>"$state/asked"
case "$1 $2" in
"run list") ls "$state/runs/$4" 2>/dev/null || true ;;
"run download")
    run=$(echo "$state"/runs/*/"$3")
    [ -d "$run/$5" ] || { echo "no artifact $5 in run $3" >&2; exit 1; }
    mkdir -p "$7" && cp -r "$run/$5/." "$7" ;;
"auth setup-git") ;;
"pr list") echo 0 ;;
"pr create") cat >"$state/body" ;;
"release upload") shift 5; ls "$@" >"$state/uploaded" ;;
"release view") echo "What the author wrote." ;;
"release edit") cp "$5" "$state/notes" ;;
*) echo "unknown to the stand-in: $*" >&2; exit 9 ;;
esac
"""

APT_GET = """#!/bin/sh
# Nothing is installed on this machine; all else is asked of the real one.
case " $* " in
*" update "* | *" install "*) ;;
*) exec /usr/bin/apt-get "$@" ;;
esac
"""

DRIVER = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_in_suite import in_suite
asked = json.loads(sys.argv[2])
mounts = {Path(path): False for path in asked["mounts"]}
sys.exit(in_suite.run_in(Path(asked["root"]), asked["argv"], variables=asked["environment"], mounts=mounts))
"""


class Root:
    """A fresh Debian, in namespaces of its own for each program."""

    def __init__(self, root: Path, mounts: Sequence[Path]) -> None:
        self.root = root
        self._mounts = [str(path) for path in mounts]

    def run(self, argv: Sequence[str], *, cwd: str, environment: Mapping[str, str]) -> int:
        asked = {
            "root": str(self.root),
            "argv": ["bash", "-c", 'cd "$0" && exec "$@"', cwd, *argv],
            "environment": dict(environment),
            "mounts": self._mounts,
        }
        unit = str(ROOT / "tests/unit")
        return subprocess.run([sys.executable, "-c", DRIVER, unit, json.dumps(asked)], check=False).returncode


class World:
    """A machine with the checkout of a small matrix, a stand-in for gh, a server for git, and the API of comments."""

    def __init__(self, machine: Machine, top: str, source: Path, api: GitHub, environment: Mapping[str, str]) -> None:
        self.machine, self.top, self.source, self.api = machine, top, source, api
        self.environment = dict(environment)
        self.done: list[Done] = []
        self.results: dict[str, dict[str, str]] = {}
        self.saved: dict[str, set[str]] = {}
        self.said: list[str] = []
        self.state = self.outside("gh")
        (self.state / "runs").mkdir(parents=True)
        self.outside("bin").mkdir()
        self.stand_in("gh", GH)
        self.environment["PATH"] = f"{top}/bin:{self.environment['PATH']}"
        self.environment["HOME"] = f"{top}/home"
        self.outside("home").mkdir()
        server = self.outside("git/o/r")
        server.mkdir(parents=True)
        subprocess.run(["git", "init", "--quiet", "--bare", server], check=True)

    def outside(self, path: str) -> Path:
        return self.machine.root / f"{self.top}/{path}".lstrip("/")

    def stand_in(self, name: str, script: str) -> None:
        """Put a program into the steps' PATH, before all others."""
        path = self.outside(f"bin/{name}")
        path.write_text(script.replace("@STATE@", f"{self.top}/gh"))
        path.chmod(0o755)

    def runner(self, name: str, *, event: str, source: Path | None = None, ours: str = "") -> Runner:
        """Return what runs a workflow, in a workspace of its own."""
        artifacts = self.outside(f"artifacts-{name}")
        self.outside(name).mkdir(exist_ok=True)
        return Runner(
            machine=self.machine,
            workspace=f"{self.top}/{name}",
            source=source or self.source,
            environment=self.environment,
            github={
                "event_name": event,
                "ref_name": "main" if event != "pull_request" else "5/merge",
                "repository": "o/r",
                "token": "secret",
                "sha": "0" * 40,
                "server_url": f"file://{self.top}/git",
                "api_url": self.api.address,
                "event": {
                    "repository": {"default_branch": "main"},
                    "release": {"tag_name": "v1.0.0"},
                    "pull_request": {
                        "number": 5,
                        "base": {"sha": "1" * 40},
                        "head": {"repo": {"full_name": "o/r"}},
                    },
                },
            },
            leave=self.leaves,
            artifacts=artifacts,
            done=self.done,
            saved=self.saved.setdefault(name, set()),
            ours=ours,
        )

    def comment(self) -> str:
        """Return our comment on the pull request, "" where there is none."""
        return "".join(each["body"] for each in self.api.comments.values() if each["user"]["login"] == AUTHOR)

    @property
    def is_fresh(self) -> bool:
        """Whether it is a machine that may be changed."""
        return not isinstance(self.machine, Here)

    def leaves(self, file: str, job: str, step: str) -> bool:
        """Whether a step is left out here."""
        return (file, job, step) in NOT_RUN or not (self.is_fresh or runs_by_day(file, job, step))


def runs_by_day(*place: str) -> bool:
    """Whether a step (its file, job and name) is one of those that run by default, on this machine."""
    return not any(all(map(fnmatch.fnmatchcase, place, pattern)) for pattern in AT_NIGHT)


def checkout(folder: Path) -> Path:
    """Return a copy of this checkout with a small matrix, as a repository of git."""
    left = (".git", ".venv", "results", "__pycache__", ".*_cache", ".hypothesis", ".cache", "*.egg-info")
    shutil.copytree(ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(*left))
    matrix = yaml.safe_load((ROOT / "matrix.yaml").read_text())
    matrix["kernels"] = [each for each in matrix["kernels"] if each["name"] in KERNELS]
    matrix["cases"] = [f"bpf/{CASE}"]
    (folder / "matrix.yaml").write_text(yaml.safe_dump(matrix))
    for name, large, small in SMALLER:
        path = folder / ".github/workflows" / name
        assert large in path.read_text()
        path.write_text(path.read_text().replace(large, small))
    for words in (["init"], ["add", "--all"], ["commit", "--message", "all"]):
        own = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"]
        subprocess.run([*own, *words], cwd=folder, check=True, capture_output=True)
    return folder


def other_project(folder: Path) -> Path:
    """Return a project of somebody else's: a source, and the workflow that he has copied."""
    (folder / "src").mkdir(parents=True)
    shutil.copyfile(ROOT / "examples/object/execs.bpf.c", folder / "src/execs.bpf.c")
    (folder / ".github/workflows").mkdir(parents=True)
    shutil.copyfile(ROOT / "examples/ci/compat.yml", folder / ".github/workflows/compat.yml")
    return folder


def install(folder: Path) -> None:
    """Give a checkout what is installed where the tests run, so that its `./run` finds it and installs nothing."""
    (folder / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if not path.name.startswith(".installed"):
            (folder / ".venv" / path.name).symlink_to(path)
    for name in ("requirements.txt", "requirements-dev.txt"):
        shutil.copyfile(folder / name, folder / ".venv" / f".installed-{name}")


def on_this_machine(tmp: Path, api: GitHub) -> World:
    source = checkout(tmp / "source")
    install(source)
    kept = ("BPFMATRIX_", "PIP_", "SSL_", "REQUESTS_", "CURL_", "http", "HTTP", "no_proxy", "NO_PROXY")
    environment = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    environment |= {"PATH": os.environ["PATH"], "CI": "true"}
    # Where workflows say that the cache is.
    environment["BPFMATRIX_CACHE"] = str(Cache().root)
    (source / ".cache").mkdir()
    (source / ".cache/bpfmatrix").symlink_to(Cache().root)
    environment["PYTHONPATH"] = str(source)  # an editable install may be of another checkout
    world = World(Here(), str(tmp), source, api, environment)
    shutil.copytree(source, world.outside("ours"), symlinks=True)
    world.stand_in("apt-get", APT_GET)
    return world


def run_all(world: World) -> None:
    """Run the workflows, and the actions that they use; the one for others also without one of its shards."""
    for name, event in EVENTS.items():
        if world.is_fresh or runs_by_day(f"{name}.yml", "", ""):
            runner = world.runner(name, event=event)
            by_night = [] if world.is_fresh else [job for job in ("propose", "suites", "tools") if name == "nightly"]
            path = world.source / f".github/workflows/{name}.yml"
            world.results[name] = runner.workflow(path, left_out=by_night)
            if name == "nightly":  # the next night, and a pull request, find it
                shutil.copytree(runner.artifacts, world.state / "runs/nightly.yml/7")
    other = other_project(world.source.parent / "other")
    workflow = other / ".github/workflows/compat.yml"
    runner = world.runner("compat", event="pull_request", source=other, ours=f"{world.top}/ours")
    runner.most = 2
    world.results["compat"] = runner.workflow(workflow)
    world.said.append(world.comment())
    # Later runs are compared with it: one without one of its shards, and one of all of them.
    shutil.copytree(runner.artifacts, world.state / "runs/compat.yml/8")
    made_earlier(world.state / "runs/compat.yml/8/results/report.json")
    shutil.move(runner.artifacts / "shard-1", world.state / "shard-1")
    shutil.rmtree(runner.artifacts / "results")
    world.results["missing"] = runner.workflow(workflow, jobs=["report", "comment"])
    world.said.append(world.comment())
    shutil.move(world.state / "shard-1", runner.artifacts / "shard-1")
    shutil.rmtree(runner.artifacts / "results")
    world.results["again"] = runner.workflow(workflow, jobs=["report", "comment"])
    world.said.append(world.comment())


def made_earlier(report: Path) -> None:
    """Make a report that of an earlier run, which says the same."""
    document = json.loads(report.read_text())
    document["run"] |= {"id": "20200101T000000Z", "started": "2020-01-01T00:00:00Z"}
    report.write_text(json.dumps(document))


def made_on(machine: Machine, tmp: Path, api: GitHub) -> World:
    """Return a world in which all has run."""
    api.comments[1] = comment(1, "talk", "somebody")
    world = on_this_machine(tmp, api) if isinstance(machine, Here) else in_root(machine, tmp, api)
    run_all(world)
    return world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All of it, run once on this machine."""
    with served() as api:
        yield made_on(Here(), tmp_path_factory.mktemp("w"), api)


def steps_that_run() -> set[tuple[str, str, str]]:
    """Return every step with a script: of the workflows, of the actions, and of the workflow for others."""
    files = {f"{name}.yml": ROOT / f".github/workflows/{name}.yml" for name in EVENTS}
    files |= {"compat.yml": ROOT / "examples/ci/compat.yml"}
    files |= {"action.yml": ROOT / "action.yml", "comment/action.yml": ROOT / "comment/action.yml"}
    found = set()
    for name, path in files.items():
        written = yaml.safe_load(path.read_text())
        for job, about in written.get("jobs", {"": written.get("runs")}).items():
            found |= {(name, job, step["name"]) for step in about["steps"] if "run" in step}
    return found


def check_all_ran(done: Sequence[Done], *, left: set[tuple[str, str, str]]) -> None:
    """Fail where a step was neither run nor is one of those that are left out, or where it was both."""
    ran = {(each.file, each.job, each.step) for each in done}
    assert ran | left == steps_that_run()
    assert not ran & left


def test_every_step_is_run_or_it_is_said_why_not(world: World) -> None:
    assert NOT_RUN.keys() <= steps_that_run()
    for pattern in AT_NIGHT:
        assert any(all(map(fnmatch.fnmatchcase, place, pattern)) for place in steps_that_run()), pattern
    check_all_ran(world.done, left={place for place in steps_that_run() if place in NOT_RUN or not runs_by_day(*place)})


def test_a_step_that_is_neither_run_nor_left_out_is_found() -> None:
    some = [Done(*place, code=0, output="", summary="") for place in steps_that_run() - NOT_RUN.keys()]
    check_all_ran(some, left=set(NOT_RUN))
    with pytest.raises(AssertionError):
        check_all_ran(some[1:], left=set(NOT_RUN))
    with pytest.raises(AssertionError):
        check_all_ran(some, left={*NOT_RUN, ("ci.yml", "test", "Prepare the container")})


FAILING = {("compat.yml", "report", "Show the report")}
"""The step that fails where a shard is missing, and in no other run."""


def check_ends(world: World) -> None:
    """Fail where a step ended otherwise than it should."""
    failed = [each for each in world.done if each.code != 0]
    others = [each for each in failed if (each.file, each.job, each.step) not in FAILING]
    assert [f"{each.file} {each.job} {each.step}: {each.output}" for each in others] == []
    assert len(failed) == 1


def test_every_step_ends_well_but_where_a_shard_is_missing(world: World) -> None:
    check_ends(world)
    wrong = {
        (name, job) for name, results in world.results.items() for job, result in results.items() if result != "success"
    }
    assert wrong == {("missing", "report")}


def test_a_night_is_one_report_of_all_shards(world: World) -> None:
    runner = world.outside("artifacts-nightly")
    assert {path.name for path in runner.iterdir()} >= {"shard-0", "shard-1", "earlier", "history", "results"}
    report = json.loads((runner / "results/report.json").read_text())
    assert [kernel["name"] for kernel in report["kernels"]] == list(KERNELS)
    assert report["run"]["exit_code"] == 0
    assert (runner / "history/good/report.json").read_text() == (runner / "results/report.json").read_text()
    assert (runner / "history/history.db").is_file()
    assert not (runner / "history/plan.json").exists()
    shown = next(each for each in world.done if (each.job, each.step) == ("report", "Show the report"))
    assert "# bpfmatrix run" in shown.summary


def test_a_pull_request_is_compared_with_the_night(world: World) -> None:
    summaries = [each.summary for each in world.done if (each.file, each.step) == ("action.yml", "Report")]
    (compared,) = [text for text in summaries if "compared with" in text]
    assert "nothing became worse" in compared


def test_a_comment_comes_with_a_change_and_goes_with_it(world: World) -> None:
    before, missing, again = world.said
    assert (before, again) == ("", "")
    assert "No answer any more" in missing
    assert world.api.comments == {1: comment(1, "talk", "somebody")}
    assert world.api.tokens == {"Bearer secret"}


def test_a_missing_shard_fails_the_last_job_and_is_named(world: World) -> None:
    _, last, _ = (each for each in world.done if each.file == "compat.yml" and each.step == "Show the report")
    assert last.code == 3
    assert "::error file=src/execs.bpf.c,title=not-run" in last.output
    assert "2/2" in last.output


def test_the_default_branch_alone_saves_the_cache(world: World) -> None:
    assert world.saved["nightly"]
    assert not world.saved["ci"]
    assert not world.saved["compat"]


# --- GitLab ----------------------------------------------------------------------------------------------------------


@pytest.mark.nightly
def test_the_file_for_gitlab_does_what_it_says(world: World, tmp_path: Path) -> None:
    """The scripts of its jobs, each in a shell, in their order; the API has no earlier report."""
    written = yaml.safe_load((ROOT / "examples/ci/gitlab.yml").read_text())
    project = other_project(tmp_path / "project")
    world.stand_in("git", "#!/bin/sh\nexit 0\n")
    world.stand_in("curl", "#!/bin/sh\nexit 22\n")
    variables = {**written["variables"], "BPFMATRIX": f"{world.top}/ours/.ci/bin/bpfmatrix", "CI_NODE_TOTAL": "2"}
    codes = []
    for job, number in (("check", 1), ("check", 2), ("report", 0)):
        scripts = [*written[".bpfmatrix"]["before_script"], *written[job]["script"]]
        environment = {**world.environment, **variables, "CI_NODE_INDEX": str(number), "CI_PROJECT_DIR": str(project)}
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", "\n".join(scripts)],
            cwd=project,
            env={**environment, **dict.fromkeys(("CI_JOB_TOKEN", "CI_API_V4_URL", "CI_PROJECT_ID"), "x")},
            capture_output=True,
            text=True,
            check=False,
        )
        codes.append((done.returncode, done.stdout + done.stderr))
    assert [code for code, _ in codes] == [0, 0, 0], codes
    report = json.loads((project / "results/merged/report.json").read_text())
    assert [kernel["name"] for kernel in report["kernels"]] == list(KERNELS)
    assert (project / written["report"]["artifacts"]["reports"]["junit"]).is_file()


# --- at night: in a fresh Debian -------------------------------------------------------------------------------------


def in_root(machine: Machine, tmp: Path, api: GitHub) -> World:
    """Return a world in a fresh Debian: nothing is installed in it."""
    variables = in_suite.environment(os.environ, cache=False)
    source = checkout(tmp / "source")
    world = World(machine, "/w", source, api, variables)
    shutil.copytree(source, world.outside("ours"), symlinks=True)
    return world


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All of it, run once in a fresh Debian."""
    namespaces = ["unshare", "--mount", "--pid", "--fork", "mount", "--make-rprivate", "/"]
    if os.geteuid() != 0 or shutil.which("mmdebstrap") is None or subprocess.run(namespaces, check=False).returncode:
        pytest.skip("only root, with CAP_SYS_ADMIN and mmdebstrap, can make a fresh Debian and run something in it")
    tmp = tmp_path_factory.mktemp("w")
    root = Path(tempfile.mkdtemp(prefix="bpfmatrix-workflows-", dir="/var/tmp"))
    try:
        in_suite.make_root(root, SUITE)
        mounts = in_suite.furnish(root)
        in_suite.below(root, in_suite.CHECKOUT).mkdir(parents=True)
        (root / "w").mkdir()
        with served() as api:
            yield made_on(Root(root, mounts), tmp, api)
    finally:
        shutil.rmtree(root)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_every_step_runs_in_a_fresh_debian(fresh: World) -> None:
    check_all_ran(fresh.done, left=set(NOT_RUN))
    check_ends(fresh)


@pytest.mark.nightly
def test_new_kernels_are_proposed_once_by_a_branch_and_a_pull_request(fresh: World) -> None:
    server = fresh.outside("git/o/r")
    changed = ["git", "-C", str(server), "diff", "--name-only", "nightly-lock^", "nightly-lock"]
    done = subprocess.run(changed, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["matrix.lock"]
    asked = (fresh.state / "asked").read_text().splitlines()
    assert [line.split()[:2] for line in asked if line.startswith("pr")] == [["pr", "list"], ["pr", "create"]]
    assert "close and open this again" in (fresh.state / "body").read_text()


@pytest.mark.nightly
def test_a_release_has_its_bundle_and_its_notes(fresh: World) -> None:
    uploaded = (fresh.state / "uploaded").read_text().split()
    assert {"bpfmatrix-report.tar.gz", "bpfmatrix-report/report.json"} <= set(uploaded)
    notes = (fresh.state / "notes").read_text()
    assert notes.startswith("What the author wrote.\n\n<!-- bpfmatrix: begin -->\n")
    assert CASE in notes
