"""What mkdocs calls while it builds the site: pages that are made then, and links as the site must have them.

mkdocs.yml names this file. It is loaded by its path, with the folder of mkdocs.yml as the repository.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from harness.model.refusals import TABLE
from harness.site import latest, links, refusal_page, schema_pages

REPOSITORY = "BPFMATRIX_REPOSITORY"
"""The environment variable with the address of the code host."""
REPORT, TOOLS = "BPFMATRIX_SITE_REPORT", "BPFMATRIX_SITE_TOOLS"
"""The environment variables with the folders of the runs that the site shows, as PATH has folders."""

REFERENCES = {
    "matrix": ("matrix.yaml", "Which kernels there are, where they come from, and which cases run on them."),
    "case": (
        "case.yaml",
        "One case: what is loaded, attached and made to run, and what must be seen. Lists of rules that cases share "
        "are in [expectations.yaml](expectations.md).",
    ),
    "check": (
        "check.yaml",
        "What more there is to say of objects that `check` tries; [the guide](../check.md) goes through it.",
    ),
    "expectations": (
        "expectations.yaml",
        "Lists of rules that cases take with `use`; [the guide](../expectations.md) says what a rule means.",
    ),
    "report": (
        "report.json",
        "What a run leaves for programs; [the guide](../report-json.md) says what each key means.",
    ),
}
"""The pages that are made of JSON Schemas in docs/, by their names: what file it is, and what it is for."""
BOOSTED = {"troubleshooting.md": 4}
"""Pages that come first where a search finds them: what is searched for there are words of messages."""
EDITORS = "Editors complete the file by [its JSON Schema](../{name}.schema.json), of which this page is made."


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made: references, the latest run, and those of the repository's top."""
    root = Path(config.config_file_path).parent
    for name, (title, about) in REFERENCES.items():
        schema = json.loads((root / links.DOCS / f"{name}.schema.json").read_text(encoding="utf-8"))
        text = schema_pages.page(schema, title=title, about=f"{about} {EDITORS.format(name=name)}")
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    files.append(File.generated(config, "reference/refusals.md", content=refusal_page.page(TABLE)))
    for source, page in links.TOP_PAGES.items():
        files.append(File.generated(config, page, content=(root / source).read_text(encoding="utf-8")))
    for file in _of_runs(config):
        files.append(file)
    return files


def _of_runs(config: MkDocsConfig) -> list[File]:
    """Return the page of the latest run, and the files of it that are published."""
    from harness.cli.answers import report_at  # noqa: PLC0415  only where there is a run

    reports, tools = _folders(REPORT), _folders(TOOLS)
    places = [(run, latest.FOLDER) for run in reports]
    places += [(run, latest.tools_folder(number)) for number, run in enumerate(tools, 1)]
    found = [
        File.generated(config, f"{folder}/{name}", abs_src_path=str((run / name).resolve()))
        for run, folder in places
        for name in latest.FILES
        if (run / name).is_file()
    ]
    made = latest.render(report_at(reports[0]) if reports else None, [report_at(run) for run in tools])
    return [*found, File.generated(config, "latest.md", content=made)]


def _folders(variable: str) -> list[Path]:
    return [Path(folder) for folder in os.environ.get(variable, "").split(os.pathsep) if folder]


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Return a page's text with links that hold in the site."""
    root = Path(config.config_file_path).parent
    if page.file.src_uri in BOOSTED:
        page.meta["search"] = {"boost": BOOSTED[page.file.src_uri]}
    made = {page: source for source, page in links.TOP_PAGES.items()}
    name = page.file.src_uri
    return links.rewritten(
        markdown,
        source=made.get(name, f"{links.DOCS}/{name}"),
        page=name,
        is_folder=lambda place: (root / place).is_dir(),
        repository=os.environ.get(REPOSITORY, ""),
    )
