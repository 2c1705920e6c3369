"""What the script of report.html knows of the grid before any evidence is opened. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from harness.model.results import KernelResult, Verdict
from harness.reports.layout import Group, Layout
from harness.reports.text import one_line

VERDICTS = tuple(Verdict)
"""A cell's verdict is the number of it here."""
_OPENING = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""What could end or begin something in the element that holds JSON."""


def index_of(layout: Layout) -> dict[str, Any]:
    """Return the names of everything and, for each kernel, its cells: a digit for each verdict, and what few have."""
    refusals = sorted({cell.refusal for row in layout.cells for cell in row if cell.refusal})
    numbers = {name: number for number, name in enumerate(refusals)}
    groups = {kernel: number for number, group in enumerate(layout.groups) for kernel in group.kernels}
    return {
        "kernelsAreRows": layout.kernels_are_rows,
        "verdicts": VERDICTS,
        "refusals": refusals,
        "groups": [
            {"arch": group.arch, "name": name_of(group), "plain": group.plain, "kernels": group.kernels}
            for group in layout.groups
        ],
        "kernels": [
            {"name": one_line(kernel.name), "slug": slug, "group": groups[number], "text": _text(_said(kernel))}
            for number, (kernel, slug) in enumerate(zip(layout.kernels, layout.slugs, strict=True))
        ],
        "cases": [
            {"name": one_line(case), "slug": slug, "title": one_line(title), "text": _text((case, title))}
            for (case, title), slug in zip(layout.cases, layout.case_slugs, strict=True)
        ],
        "cells": ["".join(str(VERDICTS.index(cell.verdict)) for cell in row) for row in layout.cells],
        "noted": [{n: cell.noted for n, cell in enumerate(row) if cell.noted} for row in layout.cells],
        "refused": [{n: numbers[cell.refusal] for n, cell in enumerate(row) if cell.refusal} for row in layout.cells],
    }


def as_json(value: Any) -> str:
    """Return a value as JSON that can be the text of an HTML element: none of its signs is markup."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for sign, escape in _OPENING.items():
        text = text.replace(sign, escape)
    return text


def name_of(group: Group) -> str:
    """Return the name of a group of kernels: its architecture, and its family where there are several."""
    return " ".join(part for part in (one_line(group.arch) or "unknown", one_line(group.family)) if part)


def _said(kernel: KernelResult) -> Iterable[str]:
    package = kernel.package.name if kernel.package else ""
    return (kernel.name, kernel.arch, kernel.release, kernel.version, kernel.distribution, package)


def _text(parts: Iterable[str]) -> str:
    """Return in what is searched for a kernel or case."""
    return one_line(" ".join(parts)).lower()
