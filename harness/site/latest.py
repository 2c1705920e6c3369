"""The page of the latest published run: its grid as a picture, its statement, and the way to all of it. Pure."""

from __future__ import annotations

from harness.answers.support import support
from harness.model.results import Report
from harness.reports import grid, page, parts_page, support_page
from harness.reports.markdown import escape

FOLDER = "latest"
"""Where the files of the run are in the site."""
FILES = ("report.html", "matrix.svg", "report.json", "junit.xml")
"""What of a run is published, where it is there."""
WITHOUT = (
    "This copy of the site was built without a run. `invoke docs --report RUN` puts one here; the nightly workflow "
    "does so each night."
)


def render(report: Report | None, tools: Report | None) -> str:
    """Return the page as Markdown: of the suite's run, and of the run of Debian's libbpf-tools, if they are there."""
    blocks = ["# The latest published run", *(_run(report) if report else [WITHOUT])]
    if report is None:
        blocks.append("![The grid that is kept in the repository](matrix.svg)\n\n[Every cell of it](grid.md).")
    blocks += ["## Debian's libbpf-tools", *(_tools(tools) if tools else ["[As they were seen](debian-tools.md)."])]
    return "\n\n".join(blocks) + "\n"


def _run(report: Report) -> list[str]:
    said = "\n".join(f"- {escape(notice)}" for notice in grid.notices(report))
    return [
        escape(grid.headline(report)),
        *([said] if said else []),
        f"[Open the whole report, with the evidence of each cell]({FOLDER}/report.html){{ .md-button }}",
        f"![{escape(grid.headline(report))}]({FOLDER}/matrix.svg)",
        "## The grid",
        page.render(report),
        support_page.markdown(support([report]), depth=2).rstrip(),
    ]


def _tools(report: Report) -> list[str]:
    return [
        escape(grid.headline(report)),
        f"[Open the whole report]({FOLDER}/tools/report.html){{ .md-button }}",
        parts_page.render_parts([report]),
    ]
