"""The classes of refusals as a page: what a kernel or libbpf says, what it means, what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from harness.model.evidence import Refusal
from harness.reports.markdown import escape
from harness.site.schema_pages import code

ABOUT = (
    "What a kernel or libbpf refuses has a class, which reports show and which a rule can name (`refusal`). A class "
    "has several rows where the same cause shows in several ways. What no row fits is `unclassified`, and is shown "
    "with all that was asked."
)


def page(table: Iterable[Refusal], *, title: str = "Refusals by class") -> str:
    """Return the page as Markdown: a heading a class, in the order in which they are tried."""
    by_name: dict[str, list[Refusal]] = {}
    for each in table:
        by_name.setdefault(each.name, []).append(each)
    blocks = [f"# {title}", ABOUT]
    for name, rows in by_name.items():
        blocks += [
            f"## {name}",
            "| at | says | means, and what to do | from |\n|---|---|---|---|\n" + "\n".join(_rows(rows)),
        ]
    return "\n\n".join(blocks) + "\n"


def _rows(rows: Iterable[Refusal]) -> Iterable[str]:
    for each in rows:
        condition = each.condition
        said = [code(pattern) for pattern in (condition.log, condition.text) if pattern]
        errnos = " or ".join(sorted(condition.errnos))
        cells = (", ".join(sorted(condition.ops)), "; ".join(filter(None, [errnos, *said])))
        yield f"| {' | '.join((*cells, escape(each.advice), escape(each.place)))} |"
