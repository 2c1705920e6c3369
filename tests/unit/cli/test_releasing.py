"""The command that makes a bundle of runs, and verifies one: folders, archives, exit codes, messages."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from answers_samples import report

from harness.cli import releasing
from harness.errors import EXIT_OK, EXIT_UNEXPECTED, EXIT_USAGE, ConfigError, ReportError, UsageError
from harness.model.results import Report
from harness.model.shards import Shard
from harness.reports.bundle import FILES, sha256
from harness.reports.json_report import parse, render

ROW, OTHER = "6.1-x86_64", "6.12-x86_64"
GITHUB = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_SHA", "GITHUB_WORKFLOW_REF")


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test is in a folder of its own, in no workflow."""
    for name in GITHUB:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept(folder: Path, made: Report) -> Path:
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(render(made))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return kept(tmp_path / "run", report({ROW: {"seed": "pass", "late": "fail"}}))


def released(*runs: Path, output: str = "out", **more: object) -> Path:
    given: dict[str, object] = {"last_wins": False, "cases": [], "lock": Path("matrix.lock")}
    assert releasing.release_report(runs, output=Path(output), **(given | more)) == EXIT_OK  # type: ignore[arg-type]
    return Path(output)


def test_a_folder_and_an_archive_have_the_same_files(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = released(run)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert releasing.verify(out) == EXIT_OK
    assert releasing.verify(Path("out.tar.gz")) == EXIT_OK
    said = capsys.readouterr().out
    assert "out: 12 files; 2 cells" in said
    assert f"sha256 {sha256(Path('out.tar.gz').read_bytes())}" in said
    assert "out.tar.gz: 12 files, whole, and each follows from report.json" in said


def test_the_same_run_gives_the_same_bytes(run: Path) -> None:
    released(run)
    first = Path("out.tar.gz").read_bytes()
    shutil.move("out", "elsewhere")
    released(run)
    assert Path("out.tar.gz").read_bytes() == first


def test_a_second_time_replaces_the_first(run: Path, tmp_path: Path) -> None:
    before = (released(run) / "report.json").read_bytes()
    released(kept(tmp_path / "later", report({ROW: {"seed": "pass"}}, name="20260102T000000Z")))
    assert Path("out/report.json").read_bytes() != before
    assert releasing.verify(Path("out")) == EXIT_OK
    assert not list(Path().glob(".out*"))


def test_a_folder_with_other_files_is_left_alone(run: Path) -> None:
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"out has other files in it \(mine.txt\)"):
        released(run)
    assert Path("out/mine.txt").read_text() == "mine"


def test_shards_become_one_report(tmp_path: Path) -> None:
    one = kept(tmp_path / "1", report({ROW: {"seed": "pass"}}))
    two = kept(tmp_path / "2", report({OTHER: {"seed": "fail"}}, name="20260102T000000Z"))
    made = parse((released(one, two) / "report.json").read_text())
    assert [kernel.name for kernel in made.kernels] == [ROW, OTHER]
    assert made.run.exit_code == EXIT_UNEXPECTED
    with pytest.raises(UsageError, match="--last-wins"):
        released(one, one)


def test_a_shard_alone_is_no_run(tmp_path: Path) -> None:
    whole = Shard(index=1, count=2, plan="p", lock="", rows={ROW: "x86_64", OTHER: "x86_64"}, cases={"seed": "seed"})
    one = kept(tmp_path / "1", report({ROW: {"seed": "pass"}}, shard=whole))
    two = kept(
        tmp_path / "2", report({OTHER: {"seed": "pass"}}, shard=replace(whole, index=2), name="20260102T000000Z")
    )
    with pytest.raises(UsageError, match=r"the shards 2/2 of this run are missing"):
        released(one)
    released(one, two)
    assert releasing.verify(Path("out")) == EXIT_OK


def test_without_a_run_or_with_a_case_that_is_none_nothing_is_written(run: Path) -> None:
    with pytest.raises(UsageError, match="name the runs"):
        released()
    with pytest.raises(UsageError, match='no case matches "sed"'):
        released(run, cases=["sed"])
    assert not Path("out").exists()


def test_the_badge_speaks_of_the_chosen_cases(run: Path) -> None:
    badge = json.loads((released(run, cases=["see*"]) / "badge.json").read_text())
    assert badge["message"] == "1 of 1 kernel seen, 6.1.1"
    assert releasing.verify(Path("out")) == EXIT_OK


def test_the_lock_and_the_checkout_are_named(run: Path, tmp_path: Path) -> None:
    Path("matrix.lock").write_text("pinned")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for words in (["init", "-q"], ["add", "matrix.lock"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True, timeout=30)
    made = json.loads((released(run) / "provenance.json").read_text())["predicate"]["runDetails"]["bpfmatrix_made"]
    assert len(made["commit"]) == 40
    assert (made["lock"], made["changed"]) == (sha256(b"pinned"), False)
    Path("matrix.lock").write_text("other")
    made = json.loads((released(run) / "provenance.json").read_text())["predicate"]["runDetails"]["bpfmatrix_made"]
    assert made["changed"] is True


def test_a_workflow_is_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(GITHUB, ("https://github.com", "who/what", "7", "e" * 40, "who/what/x.yml@v1"), strict=True):
        monkeypatch.setenv(name, value)
    details = json.loads((released(run) / "provenance.json").read_text())["predicate"]["runDetails"]
    assert details["builder"]["id"] == "https://github.com/who/what/x.yml@v1"
    assert details["metadata"]["invocationId"].startswith("https://github.com/who/what/actions/runs/7/attempts/")


@pytest.mark.parametrize(
    ("tamper", "code", "said"),
    [
        (lambda out: (out / "junit.xml").unlink(), EXIT_UNEXPECTED, "junit.xml: it is missing"),
        (lambda out: (out / "report.md").write_text("all green"), EXIT_UNEXPECTED, "report.md: its sha256 is"),
        (lambda out: (out / "more.txt").write_text("x"), EXIT_UNEXPECTED, "more.txt: no bundle has such a file"),
        (lambda out: (out / "sha256sums").unlink(), EXIT_USAGE, "sha256sums: it is missing, so this is no bundle"),
    ],
)
def test_what_was_changed_is_said(
    run: Path, capsys: pytest.CaptureFixture[str], tamper: Callable[[Path], object], code: int, said: str
) -> None:
    out = released(run)
    tamper(out)
    assert releasing.verify(out) == code
    assert f"out: {said}" in capsys.readouterr().out


def test_what_is_no_bundle_is_wrong_usage(run: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no such folder or \.tar\.gz"):
        releasing.verify(Path("nothing"))
    with pytest.raises(ConfigError, match="cannot be unpacked"):
        releasing.verify(run / "report.json")
    out = released(run)
    (out / "report.md").unlink()
    (out / "report.md").symlink_to(run / "report.json")
    with pytest.raises(UsageError, match="no plain file"):
        releasing.verify(out)


def test_a_place_that_cannot_be_written_is_said(run: Path) -> None:
    Path("file").write_text("")
    with pytest.raises(ReportError, match="could not be written"):
        released(run, output="file/out")
