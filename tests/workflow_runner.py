"""Runs workflows as GitHub does, as far as ours go: jobs, steps, outputs, artifacts, composite actions.

What a step runs is run for real, by bash, in a folder that holds a copy of the checkout, on this machine or in a root
file system. Of the actions of others only what they do to files and outputs is done.
"""

from __future__ import annotations

import fnmatch
import hashlib
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml
from workflow_expressions import evaluate, filled

Steps = Sequence[Mapping[str, Any]]
OURS = ("./", "OWNER/bpfmatrix")
KEPT = (".venv", ".cache")
"""What jobs share in a workspace, since it takes long to make."""


class Machine(Protocol):
    """Where steps run. `root` is what a step has as `/`, as this process sees it."""

    root: Path

    def run(self, argv: Sequence[str], *, cwd: str, environment: Mapping[str, str]) -> int:
        """Run a program to its end and return its exit code; paths are as the machine has them."""
        ...


class Here:
    """This machine."""

    root = Path("/")

    def run(self, argv: Sequence[str], *, cwd: str, environment: Mapping[str, str]) -> int:
        """Run a program."""
        return subprocess.run(argv, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, check=False).returncode


@dataclass(frozen=True)
class Done:
    """A step that was run: of which file and job, its name, its exit code, what it wrote and put into its summary."""

    file: str
    job: str
    step: str
    code: int
    output: str
    summary: str


@dataclass
class Runner:
    """Runs the jobs of workflows. `workspace` is the folder of the checkout as the machine sees it.

    `environment` is what each step gets, `github` the context of that name. `leave` says of a step (its file, job and
    name) whether it is left out. `source` is copied into the workspace by a checkout. `ours` is where the machine has
    the repository OWNER/bpfmatrix, whose actions others use. Of a matrix that is written out, only the first `most`
    jobs run.
    """

    machine: Machine
    workspace: str
    source: Path
    environment: Mapping[str, str]
    github: dict[str, Any]
    leave: Callable[[str, str, str], bool] = lambda _file, _job, _step: False
    artifacts: Path = field(default_factory=Path)
    saved: set[str] = field(default_factory=set)
    done: list[Done] = field(default_factory=list)
    ours: str = ""
    most: int = 1

    def outside(self, path: str) -> Path:
        """Return where this process finds what a step has as `path`; relative ones are in the workspace."""
        inside = path if path.startswith("/") else f"{self.workspace}/{path}"
        return self.machine.root / inside.lstrip("/")

    def workflow(self, path: Path, *, jobs: Sequence[str] = (), left_out: Sequence[str] = ()) -> dict[str, str]:
        """Run a workflow's jobs in their order, and return the result of each.

        Without `jobs` all are run; those that are left out count as successes without outputs.
        """
        written = yaml.safe_load(path.read_text())
        needs: dict[str, Any] = {}
        for name, job in written["jobs"].items():
            if (jobs and name not in jobs) or name in left_out:
                needs[name] = {"result": "success", "outputs": {}}
                continue
            needs[name] = self._job(path.name, name, job, written, needs)
        return {name: str(each["result"]) for name, each in needs.items()}

    def _job(
        self, file: str, name: str, job: Mapping[str, Any], written: Mapping[str, Any], needs: Mapping[str, Any]
    ) -> dict[str, Any]:
        needed = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
        own = {each: needs[each] for each in needed}
        failed = any(each["result"] != "success" for each in own.values())
        functions = self.functions(failed)
        contexts = {"github": self.github, "needs": own, "vars": {}, "secrets": {}}
        condition = str(job.get("if", "success()"))
        if not evaluate(condition, contexts, functions) or (failed and "()" not in condition):
            return {"result": "skipped", "outputs": {}}
        result, outputs = "success", dict[str, Any]()
        for number, matrix in enumerate(self._matrix(job, contexts, functions)):
            self._clear()
            run = _Job(self, file, name, written, {**contexts, "matrix": matrix, "strategy": {"job-index": number}})
            run.steps(job["steps"])
            result = "failure" if run.failed else result
            outputs |= filled(job.get("outputs", {}), run.contexts, run.functions)
        return {"result": result, "outputs": outputs}

    def _clear(self) -> None:
        """Empty the workspace, as that of a job is; what was downloaded and installed may stay."""
        for path in self.outside("").iterdir():
            if path.name in KEPT:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _matrix(self, job: Mapping[str, Any], contexts: Mapping[str, Any], functions: Any) -> Iterator[dict[str, Any]]:
        matrix = filled(job.get("strategy", {}).get("matrix", {}), contexts, functions)
        if "include" in matrix:
            yield from matrix["include"]
            return
        for values in itertools.islice(itertools.product(*matrix.values()), self.most):
            yield dict(zip(matrix, values, strict=True))

    def functions(self, failed: bool) -> dict[str, Callable[..., Any]]:
        """Return the functions of expressions; `failed` says whether what is before has."""
        return {
            "always": lambda: True,
            "cancelled": lambda: False,
            "failure": lambda: failed,
            "success": lambda: not failed,
            "fromJSON": json.loads,
            "toJSON": json.dumps,
            "format": lambda text, *values: text.format(*values),
            "hashFiles": self._hash,
        }

    def _hash(self, *globs: str) -> str:
        found = hashlib.sha256()
        for path in sorted(path for glob in globs for path in self.outside("").glob(glob) if path.is_file()):
            found.update(path.read_bytes())
        return found.hexdigest()


class _Job:
    """One job that runs: its steps, one after the other, and those of the actions in them."""

    def __init__(
        self, runner: Runner, file: str, name: str, written: Mapping[str, Any], contexts: Mapping[str, Any]
    ) -> None:
        self.runner, self.file, self.name = runner, file, name
        self.failed = False
        self.environment = dict(runner.environment)
        self.temp = "/tmp/runner" if runner.machine.root != Path("/") else f"{runner.workspace}-temp"
        (runner.machine.root / self.temp.lstrip("/")).mkdir(parents=True, exist_ok=True)
        self.contexts: dict[str, Any] = {
            **contexts,
            "runner": {"arch": "X64", "os": "Linux", "temp": self.temp},
            "job": {"status": "success"},
            "env": self.environment,
            "steps": {},
        }
        self.environment |= filled(written.get("env", {}), self.contexts, self.functions)

    @property
    def functions(self) -> dict[str, Callable[..., Any]]:
        """The functions of expressions, as the job is now."""
        return self.runner.functions(self.failed)

    def steps(self, steps: Steps, *, file: str = "", action: str = "") -> None:
        """Run steps in their order. `action` is the folder of the action whose they are, as the machine has it."""
        job = "" if file else self.name
        file = file or self.file
        for number, step in enumerate(steps):
            condition = str(step.get("if", "success()"))
            wanted = evaluate(condition, self.contexts, self.functions)
            if not wanted or (
                self.failed and not any(f"{each}()" in condition for each in ("always", "failure", "cancelled"))
            ):
                self._note(step, "skipped", {})
                continue
            before = self.failed
            code, outputs = self._step(step, file=file, job=job, action=action, number=number)
            self.failed = before or (code != 0 and not step.get("continue-on-error"))
            self._note(step, "failure" if code else "success", outputs)

    def _note(self, step: Mapping[str, Any], outcome: str, outputs: Mapping[str, Any]) -> None:
        if "id" in step:
            known = {"outputs": dict(outputs), "outcome": outcome, "conclusion": outcome}
            self.contexts["steps"][step["id"]] = known

    def _step(
        self, step: Mapping[str, Any], *, file: str, job: str, action: str, number: int
    ) -> tuple[int, Mapping[str, Any]]:
        if "uses" in step:
            given = filled(step.get("with", {}), self.contexts, self.functions)
            return self._uses(str(step["uses"]), given)
        name = str(step.get("name", number))
        if self.runner.leave(file, job, name):
            return 0, {}
        return self._run(step, file=file, job=job, action=action, name=name)

    def _run(
        self, step: Mapping[str, Any], *, file: str, job: str, action: str, name: str
    ) -> tuple[int, Mapping[str, Any]]:
        runner = self.runner
        folder = runner.machine.root / self.temp.lstrip("/")
        channels = {
            each: f"{self.temp}/{each.lower()}"
            for each in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY", "GITHUB_PATH")
        }
        for each in channels.values():
            (folder / Path(each).name).write_text("")
        (folder / "script").write_text(str(step["run"]))
        # Into a file, so that it does not matter where the machine's output goes.
        (folder / "start").write_text(
            f"exec bash --noprofile --norc -eo pipefail {self.temp}/script >{self.temp}/said 2>&1\n"
        )
        environment = {
            **self.environment,
            **{key: str(value) for key, value in filled(step.get("env", {}), self.contexts, self.functions).items()},
            **channels,
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": runner.workspace,
            "GITHUB_ACTION_PATH": action,
            "GITHUB_REPOSITORY": str(runner.github["repository"]),
            "GITHUB_REF_NAME": str(runner.github["ref_name"]),
            "GITHUB_SERVER_URL": str(runner.github["server_url"]),
            "GITHUB_API_URL": str(runner.github["api_url"]),
            "GITHUB_RUN_ID": "1",
            "RUNNER_TEMP": self.temp,
        }
        place = filled(step.get("working-directory", "."), self.contexts, self.functions)
        cwd = os.path.normpath(f"{runner.workspace}/{place}")
        code = runner.machine.run(["bash", f"{self.temp}/start"], cwd=cwd, environment=environment)
        read = {key: (folder / Path(each).name).read_text() for key, each in channels.items()}
        self.environment |= pairs(read["GITHUB_ENV"])
        said = (folder / "said").read_text(errors="replace")
        runner.done.append(Done(file, job, name, code, said, read["GITHUB_STEP_SUMMARY"]))
        return code, pairs(read["GITHUB_OUTPUT"])

    def _uses(self, uses: str, given: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        name = uses.partition("@")[0]
        if not name.startswith(OURS):
            return ACTIONS[name](self.runner, given)
        folder = name.removeprefix(OURS[1]).removeprefix(".").strip("/")
        top = self.runner.workspace if name.startswith(OURS[0]) else self.runner.ours
        return self._composite(folder, f"{top}/{folder}".rstrip("/"), given)

    def _composite(self, folder: str, action: str, given: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        place = self.runner.outside(action)
        written = yaml.safe_load((place / "action.yml").read_text())
        unknown = given.keys() - written["inputs"].keys()
        assert not unknown, f"action.yml has no inputs {unknown}"
        inputs = {
            each: filled(about.get("default", ""), self.contexts, self.functions)
            for each, about in written["inputs"].items()
        }
        inputs |= {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in given.items()}
        outer, failed = self.contexts, self.failed
        self.contexts, self.failed = {**outer, "inputs": inputs, "steps": {}}, False
        label = f"{folder}/action.yml".lstrip("/")
        self.steps(written["runs"]["steps"], file=label, action=action)
        outputs = {
            key: filled(about["value"], self.contexts, self.functions)
            for key, about in written.get("outputs", {}).items()
        }
        code = int(self.failed)
        self.contexts, self.failed = outer, failed
        return code, outputs


def pairs(text: str) -> dict[str, str]:
    """Return the values that a step has written for the runner, one a line."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


# --- the actions of others ------------------------------------------------------------------------------------------


def check_out(runner: Runner, _given: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """Put the checkout into the workspace."""
    for path in runner.source.iterdir():
        copy = runner.outside(path.name)
        if copy.exists():
            assert path.name in KEPT
        elif path.is_dir():
            shutil.copytree(path, copy, symlinks=True)
        else:
            shutil.copy2(path, copy)
    return 0, {}


def restore(_runner: Runner, given: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """Find nothing in the cache: the path is left as it is."""
    return 0, {"cache-hit": "", "cache-primary-key": given["key"]}


def save(runner: Runner, given: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """Note under which key the cache would be saved."""
    runner.saved.add(str(given["key"]))
    return 0, {}


def upload(runner: Runner, given: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """Keep files as an artifact; what several paths have in common is left out of their names, as with the real one."""
    wanted = [line.strip().rstrip("/") for line in str(given["path"]).splitlines() if line.strip()]
    left = [each[1:] for each in wanted if each.startswith("!")]
    paths = [runner.outside(each) for each in wanted if not each.startswith("!")]
    files = [path for path in paths if path.is_file()]
    files += [each for path in paths if path.is_dir() for each in sorted(path.rglob("*")) if each.is_file()]
    files = [each for each in files if not any(runner.outside(name) in (each, *each.parents) for name in left)]
    assert files or given.get("if-no-files-found") in ("ignore", "warn"), f"no files: {given}"
    top = (
        paths[0] if len(paths) == 1 and paths[0].is_dir() else Path(os.path.commonpath([path.parent for path in paths]))
    )
    target = runner.artifacts / str(given["name"])
    assert not target.exists() or given.get("overwrite"), f"there is an artifact {given['name']} already"
    for path in files:
        copy = target / path.relative_to(top)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return 0, {"artifact-id": "1"} if files else {}


def download(runner: Runner, given: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """Put artifacts into a folder: one by its name, or each into a folder of its name."""
    target = runner.outside(str(given.get("path", ".")))
    if "name" in given:
        source = runner.artifacts / str(given["name"])
        if not source.is_dir():
            return 1, {}
        shutil.copytree(source, target, dirs_exist_ok=True)
        return 0, {}
    for source in sorted(runner.artifacts.glob("*")):
        if fnmatch.fnmatch(source.name, str(given.get("pattern", "*"))):
            shutil.copytree(source, target / source.name, dirs_exist_ok=True)
    return 0, {}


def nothing(_runner: Runner, _given: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """Do what only GitHub can: sign, and publish."""
    return 0, {}


ACTIONS: Mapping[str, Callable[[Runner, Mapping[str, Any]], tuple[int, Mapping[str, Any]]]] = {
    "actions/checkout": check_out,
    "actions/cache": restore,
    "actions/cache/restore": restore,
    "actions/cache/save": save,
    "actions/upload-artifact": upload,
    "actions/download-artifact": download,
    "actions/attest": nothing,
    "actions/deploy-pages": nothing,
}
