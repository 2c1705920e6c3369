"""What mkdocs calls: the pages that are made, and the runs that are named by the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from answers_samples import report
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from unit_samples import ROOT

from harness.reports.writer import write
from harness.site import hooks


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> MkDocsConfig:
    for name in (hooks.REPORT, hooks.TOOLS, hooks.REPOSITORY):
        monkeypatch.delenv(name, raising=False)
    found = load_config(str(ROOT / "mkdocs.yml"))
    setattr(found.plugins, "_current_plugin", "hooks")  # noqa: B010  # mkdocs sets it when it calls a hook
    return found


def made(config: MkDocsConfig) -> Files:
    return hooks.on_files(Files([]), config)


def test_pages_are_made_of_schemas_tables_and_the_top(config: MkDocsConfig) -> None:
    found = made(config)
    names = {file.src_uri for file in found}
    assert {f"reference/{name}.md" for name in (*hooks.REFERENCES, "refusals")} <= names
    assert {"index.md", "contributing.md", "changelog.md", "security.md", "latest.md"} <= names
    page = found.get_file_from_path("reference/matrix.md")
    assert page is not None
    assert page.content_string.startswith("# matrix.yaml\n\nWhich kernels there are")
    assert "(../matrix.schema.json)" in page.content_string


def test_the_files_of_a_run_are_published(
    config: MkDocsConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(report({"6.1-x86_64": {"seed": "pass"}}), directory=tmp_path)
    (tmp_path / "matrix.svg").unlink()
    monkeypatch.setenv(hooks.REPORT, str(tmp_path))
    monkeypatch.setenv(hooks.TOOLS, os.pathsep.join([str(tmp_path)] * 2))
    names = {file.src_uri for file in made(config)}
    assert {"latest/report.html", "latest/report.json", "latest/junit.xml", "latest/tools-2/report.html"} <= names
    assert "latest/matrix.svg" not in names


def test_a_page_of_the_top_has_links_from_there(config: MkDocsConfig) -> None:
    files = made(config)
    file = files.get_file_from_path("index.md")
    assert file is not None
    page = Page("Home", file, config)
    assert hooks.on_page_markdown("[a](docs/start.md) [b](LICENSE)", page, config, files) == "[a](start.md) b"


def test_troubleshooting_comes_first_where_a_search_finds_it(config: MkDocsConfig) -> None:
    files = made(config)
    for name, meta in (("troubleshooting.md", {"search": {"boost": 4}}), ("index.md", {})):
        page = Page(None, File.generated(config, name, content=""), config)
        hooks.on_page_markdown("", page, config, files)
        assert page.meta == meta
