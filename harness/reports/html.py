"""report.html: one self-contained page with the content of report.md, for a release or a mail."""

from __future__ import annotations

from harness.model.results import Report
from harness.reports import view
from harness.reports.templating import template

PAGE = template("report.html.j2", autoescape=True)
"""Compiled with the import, which comes while guests run."""


def render(report: Report) -> str:
    """Return report.html for `report`: no script, no other file, everything from a guest escaped."""
    return PAGE.render(v=view.build(report))
