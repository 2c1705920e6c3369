"""The steps of the GitHub action (action.yml) that decide something: which command its inputs mean, what came of it.

action.yml calls `python -m harness.cli.action run`, then `report`, in the folder of whoever uses it. Inputs come as the
environment's INPUT_NAME.
"""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.cli.github import FAIL_ON
from harness.errors import EXIT_HARNESS, EXIT_USAGE, BpfmatrixError, UsageError

MINUTES = "60"
"""How long a run may take where the action is not told."""

TRUE, FALSE = ("true", "yes", "on", "1"), ("", "false", "no", "off", "0")
"""How a switch of the action is written; YAML's own true and false come as the first of each."""

SELECTING = ("kernels", "cases", "arch", "shard")
"""The inputs that say which cells run: what an earlier run has beside them is not gone."""


def inputs_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the action's inputs by their names, those that are given: INPUT_COMPARE_WITH is `compare-with`."""
    prefix = "INPUT_"
    found = {
        name.removeprefix(prefix).lower().replace("_", "-"): value.strip()
        for name, value in environment.items()
        if name.startswith(prefix)
    }
    return {name: value for name, value in found.items() if value}


def run_words(inputs: Mapping[str, str]) -> list[str]:
    """Return the words of the command that the inputs mean: of `check`, `exec` or `matrix`.

    Raises UsageError where inputs contradict each other, or one has a value that it cannot have.
    """
    if "object" in inputs and "command" in inputs:
        raise UsageError("the inputs object and command are two different runs; use the action twice")
    what = "check" if "object" in inputs else "exec" if "command" in inputs else "matrix"
    if what == "exec" and "cases" in inputs:
        raise UsageError("the input cases is for cases of a matrix and for objects; a command is one by itself")
    if not inputs.get("minutes", MINUTES).isdecimal():
        raise UsageError(f'the input minutes takes a number; got "{inputs["minutes"]}"')
    if inputs.get("fail-on", FAIL_ON[0]) not in FAIL_ON:
        raise UsageError(f'the input fail-on takes {", ".join(FAIL_ON)}; got "{inputs["fail-on"]}"')
    return [what, *_options(inputs), *_what(inputs)]


def _options(inputs: Mapping[str, str]) -> Iterator[str]:
    for name, option in {"matrix": "--matrix-file", "jobs": "--jobs", "shard": "--shard"}.items():
        if name in inputs:
            yield from (option, inputs[name])
    for name, option in {"kernels": "--kernel", "arch": "--arch", "cases": "--case", "timings": "--timings"}.items():
        for each in inputs.get(name, "").split():
            yield from (option, each)
    if switch("cold", inputs.get("cold", "")):
        yield "--cold"
    yield from ("--results", results_of(inputs))
    yield from shlex.split(inputs.get("options", ""))


def _what(inputs: Mapping[str, str]) -> Iterator[str]:
    yield from inputs.get("object", "").split()
    if "command" in inputs:
        yield from ("--", *shlex.split(inputs["command"]))


def report_words(inputs: Mapping[str, str], folder: Path) -> list[str]:
    """Return the words of the command `github` for a run that the inputs meant, whose folder is `folder`."""
    words = ["github", str(folder), "--fail-on", inputs.get("fail-on", FAIL_ON[0])]
    if "matrix" in inputs:
        words += ["--matrix-file", inputs["matrix"]]
    if "compare-with" in inputs:
        words += ["--compare-with", inputs["compare-with"], "--comment", str(folder / "comment.md")]
        words += ["--common"] if any(name in inputs for name in SELECTING) else []
    return words


def results_of(inputs: Mapping[str, str]) -> str:
    """Return the folder of the results."""
    return inputs.get("results", "results")


def switch(name: str, value: str) -> bool:
    """Return what a switch of the action says; raise UsageError where it is neither true nor false."""
    if value.lower() in (*TRUE, *FALSE):
        return value.lower() in TRUE
    raise UsageError(f'the input {name} takes true or false; got "{value}"')


def run(environment: Mapping[str, str], *, program: Sequence[str]) -> int:
    """Run what the inputs mean, and put its exit code and its folder into the outputs of the step.

    Between the two lines around it the runner obeys no command: what a guest writes is only text. Returns 2 where the
    inputs are wrong, else 0: `report` says what it comes to.
    """
    inputs = inputs_of(environment)
    words = run_words(inputs)
    before = _latest(inputs)
    own = {**environment, **({"BPFMATRIX_DEBIAN_MIRROR": inputs["mirror"]} if "mirror" in inputs else {})}
    argv = ["timeout", "--kill-after=1m", f"{inputs.get('minutes', MINUTES)}m", *program, *words]
    print(shlex.join(["bpfmatrix", *words]), flush=True)
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", flush=True)
    try:
        code = subprocess.run(argv, env=own, check=False).returncode
    finally:
        print(f"\n::{token}::", flush=True)
    after = _latest(inputs)
    _output(environment, {"code": code, "folder": "" if after is None or after == before else _from_top(after)})
    return 0


def report(environment: Mapping[str, str], *, program: Sequence[str]) -> int:
    """Report a run and return the exit code of the action; `program` is how bpfmatrix is called.

    RUN_CODE and RUN_FOLDER are the outputs of `run`. A run that left no report has its own exit code, never 0.
    """
    folder = environment.get("RUN_FOLDER", "")
    path = Path(environment.get("GITHUB_WORKSPACE", ".")) / folder
    if not folder or not (path / "report.json").is_file():
        print("::error title=bpfmatrix::The run left no report; the log of the step before says why.")
        code = environment.get("RUN_CODE", "")
        return int(code) if code.isdecimal() and int(code) else EXIT_HARNESS
    done = subprocess.run([*program, *report_words(inputs_of(environment), _shown(path))], check=False)
    return done.returncode


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _latest(inputs: Mapping[str, str]) -> Path | None:
    """Return the folder of the newest run of the results, None where there is none."""
    link = Path(results_of(inputs)) / "latest"
    return link.resolve() if link.exists() else None


def _from_top(path: Path) -> str:
    """Return a path from the top of the workspace, as other actions take it."""
    top = Path(os.environ.get("GITHUB_WORKSPACE", ".")).resolve()
    return str(path.relative_to(top) if path.is_relative_to(top) else path)


def _output(environment: Mapping[str, str], values: Mapping[str, object]) -> None:
    if path := environment.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())


STEPS = {"run": run, "report": report}


def main(words: Sequence[str]) -> int:
    """Do one step: `run` or `report`, then how bpfmatrix is called."""
    if len(words) < 2 or words[0] not in STEPS:
        print(f"usage: python -m harness.cli.action {{{','.join(STEPS)}}} PROGRAM...", file=sys.stderr)
        return EXIT_USAGE
    try:
        return STEPS[words[0]](os.environ, program=words[1:])
    except BpfmatrixError as error:
        said = str(error).replace("%", "%25").replace("\n", "%0A")
        print(f"::error title=bpfmatrix::{said}")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
