"""The page of the latest published run: its grid as a picture, its statement, and the way to all of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

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


def tools_folder(number: int) -> str:
    """Return where the files of a run of Debian's libbpf-tools are in the site; they are counted from 1."""
    return f"{FOLDER}/tools-{number}"


def render(report: Report | None, tools: Sequence[Report]) -> str:
    """Return the page as Markdown: of the suite's run, and of runs of Debian's libbpf-tools, if they are there."""
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


def _tools(reports: Sequence[Report]) -> list[str]:
    buttons = [
        f"[Open the report: {escape(_command(report))}]({tools_folder(number)}/report.html){{ .md-button }}"
        for number, report in enumerate(reports, 1)
    ]
    return [
        "Which of them work on which kernel; [what is behind the red cells](debian-tools.md) was looked up.",
        "\n".join(buttons),
        parts_page.render_parts(reports),
    ]


def _command(report: Report) -> str:
    """Return what a run has run: the words behind `--` of its command line."""
    _, _, behind = report.run.command.partition(" -- ")
    return behind or report.run.command
