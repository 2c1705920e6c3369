"""What contributors are given says what holds: linters, versions, templates."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit_samples import ROOT

import harness
from harness.cli.checks import LINTERS

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
FORM = ROOT / ".github/ISSUE_TEMPLATE/wrong-cell.yml"
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
"""The versions of Python that are supported."""


def test_pre_commit_runs_the_linters_of_run_lint_and_fetches_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == [f".venv/bin/{linter}" for linter in LINTERS]
    assert {(hook["language"], hook["pass_filenames"]) for hook in hooks} == {("system", False)}


def accepted(form: Path) -> bool:
    tool = str(Path(sys.executable).parent / "check-jsonschema")
    argv = [tool, "--builtin-schema", "vendor.github-issue-forms", str(form)]
    return subprocess.run(argv, capture_output=True, timeout=60, check=False).returncode == 0


def test_github_accepts_the_form_for_a_wrong_cell(tmp_path: Path) -> None:
    assert accepted(FORM)
    wrong = tmp_path / FORM.name
    wrong.write_text(FORM.read_text().replace("type: input", "type: line"))
    assert not accepted(wrong)


def test_the_form_asks_for_what_is_needed_to_run_the_cell_again() -> None:
    form = yaml.safe_load(FORM.read_text())
    needed = {each["id"] for each in form["body"] if each.get("validations", {}).get("required")}
    assert {"command", "cell", "report"} <= needed


def test_the_version_is_in_one_place() -> None:
    assert "version" not in PROJECT["project"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "harness.__version__"}
    written = re.findall(r"^__version__ = .*$", (ROOT / "harness/__init__.py").read_text(), re.MULTILINE)
    assert written == [f'__version__ = "{harness.__version__}"'], "setuptools reads it without importing it"


def test_what_is_said_of_python_agrees() -> None:
    said = PROJECT["project"]
    prefix = "Programming Language :: Python :: "
    assert [each.removeprefix(prefix) for each in said["classifiers"] if each.startswith(prefix)] == PYTHONS
    assert said["requires-python"] == f">={PYTHONS[0]}"
    assert PROJECT["tool"]["mypy"]["python_version"] == PYTHONS[0]
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{PYTHONS[0].replace('.', '')}"
    tried = re.search(r"for candidate in python3 (.*) /usr/bin/python3", (ROOT / "run").read_text())
    assert tried is not None
    assert tried[1].split() == [f"python{each}" for each in reversed(PYTHONS)]


def test_editors_and_the_linter_agree_on_the_length_of_a_line() -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string("[top]\n" + (ROOT / ".editorconfig").read_text())
    assert int(parser["*"]["max_line_length"]) == PROJECT["tool"]["ruff"]["line-length"]


PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")]
)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    links = re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", (ROOT / page).read_text())
    for path, anchor in links:
        target = folder / path if path else ROOT / page
        assert target.exists(), f"{page}: {path}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor[1:] in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in titles}


def test_a_page_for_readers_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 60
    assert len((ROOT / "docs/architecture.md").read_text().splitlines()) <= 120


MIRRORS = (
    "deb debian",
    "security debian",
    "ftp debian",
    "snapshot debian",
    "ports debian",
    "pypi org",
    "ghcr io",
    "quay io",
)
"""Words of the names of hosts that have packages and images, apart so that this file has none of them."""


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="this is no checkout of git")
def test_no_file_names_a_mirror_or_a_registry() -> None:
    # Which mirror is used says the environment, matrix.yaml or the host; a file of ours must not send anybody to one.
    named = re.compile("|".join(r"\b" + r"\.".join(words.split()) + r"\b" for words in MIRRORS), re.IGNORECASE)
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        found = named.search((ROOT / name).read_bytes().decode(errors="replace"))
        assert found is None, f"{name} names {found.group()}"
