"""`invoke docs`: the whole site, built strictly; what is wrong with a page is said, and nothing is fetched."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from answers_samples import report
from unit_samples import ROOT

from harness.errors import MissingToolError, SiteError, UsageError
from harness.reports.writer import write
from harness.site import command

TAKEN = ("docs", "mkdocs.yml", "harness/site/hooks.py", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
FETCHED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)")
"""What a browser would fetch from elsewhere when it opens a page."""


def built(root: Path, output: Path, *, run: Path | None = None, tools: Sequence[Path] = ()) -> Path:
    assert command.docs(root, output=output, report=run, tools=tools) == 0
    return output


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of this repository, with a run in it."""
    run = tmp_path_factory.mktemp("run")
    write(report({"6.1-x86_64": {"seed": "pass", "late": "fail"}}), directory=run)
    return built(ROOT, tmp_path_factory.mktemp("out") / "site", run=run)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the site is made of, to be damaged."""
    for name in TAKEN:
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy)
        else:
            shutil.copyfile(ROOT / name, copy)
    return tmp_path


def test_every_page_of_the_docs_is_in_it(site: Path) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert pages <= {path.stem for path in site.glob("*.html")}
    references = {path.name.partition(".")[0] for path in (ROOT / "docs").glob("*.schema.json")}
    assert references <= {path.stem for path in (site / "reference").glob("*.html")}


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    found = {path.name: FETCHED.findall(path.read_text()) for path in site.rglob("*.html")}
    published = {"report.html"}  # a page of its own, which its own tests look at
    assert not {name: urls for name, urls in found.items() if urls and name not in published}
    assert FETCHED.findall('<link rel="preconnect" href="https://fonts.gstatic.com" crossorigin>')


def test_it_shows_the_run(site: Path) -> None:
    page = (site / "latest.html").read_text()
    assert "2 cells (1 kernel × 2 cases): 1 pass, 1 fail" in page
    assert (site / "latest/report.html").is_file()
    assert (site / "latest/matrix.svg").read_text().startswith("<svg")


def test_what_is_folded_away_is_shown_as_tables(site: Path) -> None:
    page = (site / "grid.html").read_text()
    folded = page[page.index("<details") : page.index("</details>")]
    assert "<table>" in folded
    assert "|---|" not in page


def test_every_mistake_fails_and_is_named(checkout: Path) -> None:
    append(checkout / "docs/start.md", "[x](no-such-page.md) [x](check.md#no-such-title)")
    append(checkout / "README.md", "[x](docs/not-this-one-either.md)")
    append(checkout / "docs/forgotten.md", "# In no menu")
    (checkout / "docs/axes.md").unlink()
    with pytest.raises(SiteError) as caught:
        built(checkout, checkout / "out")
    for said in ("no-such-page.md", "no-such-title", "not-this-one-either.md", "forgotten.md", "axes.md"):
        assert said in str(caught.value), said


def test_a_configuration_that_is_none_fails(checkout: Path) -> None:
    (checkout / "mkdocs.yml").write_text("site_name: x\nnav: 5\n")
    with pytest.raises(SiteError, match="nav"):
        built(checkout, checkout / "out")


def append(path: Path, line: str) -> None:
    path.write_text((path.read_text() if path.exists() else "") + f"\n\n{line}\n")


def test_what_lies_outside_of_the_docs_is_on_the_code_host(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BPFMATRIX_REPOSITORY", "https://code.example/who/what")
    built(checkout, checkout / "out")
    assert 'href="https://code.example/who/what/blob/HEAD/LICENSE"' in (checkout / "out/index.html").read_text()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="has something else in it"):
        built(ROOT, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_run_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no report\.json"):
        built(ROOT, tmp_path / "out", run=tmp_path)


def test_without_mkdocs_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mkdocs.commands.build", None)
    with pytest.raises(MissingToolError, match=r"\./run lint"):
        built(ROOT, tmp_path / "out")
