"""What was seen to work, as a page to attach to a release: Markdown, JSON, and a badge. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from harness.answers.support import State, Statement, Stretch, Support, group_of, range_of, works_on
from harness.reports import badge, wording
from harness.reports.grid import plural
from harness.reports.markdown import escape
from harness.reports.text import one_line

SCHEMA = 1
LABEL = "works on"
_KERNELS = re.compile(r"\d+\.\d+(?:\.\d+)?(?:[~-]rc\d+)?")
GREEN, YELLOW, RED, GREY = "brightgreen", "yellow", "red", "lightgrey"


def markdown(support: Support, *, title: str = "What was seen to work", depth: int = 1) -> str:
    """Return a support statement as Markdown, its title of level `depth`; nothing of a guest acts as markup in it."""
    sign = "#" * depth
    blocks = [f"{sign} {escape(title)}", _about(support)]
    if support.unknown:
        blocks.append(
            f"Not run, so that nobody knows which kernels they would be: {escape(', '.join(support.unknown))}."
        )
    for group in dict.fromkeys((each.arch, each.distribution, each.axes) for each in support.statements):
        arch, distribution, axes = group
        own = [each for each in support.statements if (each.arch, each.distribution, each.axes) == group]
        builds = [build for build in support.builds if group_of(build) == group]
        seen = ", ".join(dict.fromkeys(build.shown for build in builds))
        beside = f", with {axes.replace('+', ' and ')}" if axes else ""
        blocks.append(f"## {escape(arch)}, {escape(distribution or 'no known distribution')}{escape(beside)}")
        blocks.append(f"{plural(len(builds), 'kernel')} in the reports: {escape(seen)}.")
        rows = ["| what | works | where it works | where it does not | holes |", "|---|---|---|---|---|"]
        rows += [f"| {' | '.join(escape(text) for text in _row(each))} |" for each in own]
        blocks.append("\n".join(rows))
    return "\n\n".join(blocks) + "\n"


def _about(support: Support) -> str:
    first, last = support.days
    when = first if first == last else f"{first} to {last}"
    return (
        f"Seen in runs of {escape(when)} under {escape(', '.join(support.accelerators) or '-')}, on the kernels that "
        "are named and on no others. A hole is a kernel of the reports on which this was not tried, or has no answer: "
        "nothing is concluded from its neighbours. `a to b (n)` means n kernels next to each other in the list, "
        "each of which was tried."
    )


def _row(statement: Statement) -> tuple[str, ...]:
    what = f"{statement.case}: {statement.part}" if statement.part else statement.case
    stretches = statement.stretches
    failing = [each for each in stretches if each.state in (State.FAILS, State.DIFFERS)]
    return (
        what,
        f"{statement.count(State.WORKS)} of {statement.tried}",
        "; ".join(stretch_text(each) for each in stretches if each.state is State.WORKS) or "-",
        "; ".join(f"{stretch_text(each)}: {_how(each)}" for each in failing) or "-",
        "; ".join(
            f"{stretch_text(each)}{' (means nothing there)' if each.state is State.NOTHING else ''}"
            for each in stretches
            if each.state in (State.UNKNOWN, State.NOTHING)
        )
        or "-",
    )


def stretch_text(stretch: Stretch) -> str:
    """Return some builds next to each other as a reader names them: `6.1.176`, `6.1.176 to 7.3 (12)`."""
    count = len(stretch.builds)
    return range_of(stretch.builds) + (f" ({count})" if count > 1 else "")


def _how(stretch: Stretch) -> str:
    how = wording.brief(stretch.how) if stretch.how else ""
    return f"seen to work and not to ({how})" if stretch.state is State.DIFFERS else how


def as_json(support: Support) -> str:
    """Return a support statement as JSON; `schema` says in which form."""
    return json.dumps(_document(support), indent=2) + "\n"


def _document(support: Support) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "days": list(support.days),
        "accelerators": list(support.accelerators),
        "not_run": list(support.unknown),
        "statements": [
            {
                "case": each.case,
                "part": each.part,
                "arch": each.arch,
                "distribution": each.distribution,
                "axes": each.axes,
                "works": each.count(State.WORKS),
                "tried": each.tried,
                "stretches": [
                    {
                        "state": stretch.state.name.lower(),
                        "how": one_line(_how(stretch)),
                        "kernels": [
                            {"version": build.shown, "package": build.exact, "row": build.name}
                            for build in stretch.builds
                        ],
                    }
                    for stretch in each.stretches
                ],
            }
            for each in support.statements
        ],
    }


def message(support: Support) -> str:
    """Return a statement in a badge's few words: `14 of 14 kernels seen, 5.10.249 to 7.3`."""
    good, tried = works_on(support)
    if not tried:
        return "not seen on any kernel"
    said = f"{len(good)} of {plural(len(tried), 'kernel')} seen"
    if not good:
        return said
    numbered = sorted((build for build in good if build.number), key=lambda build: build.key)
    if not numbered:
        return said
    first, last = (_upstream(build.number) for build in (numbered[0], numbered[-1]))
    return f"{said}, {first}" if first == last else f"{said}, {first} to {last}"


def _upstream(version: str) -> str:
    """Return the kernel's own part of a package's version: `7.3.4` of 7.3.4-1~bpo13+1, `7.3-rc7` of 7.3~rc7-1~exp1."""
    found = _KERNELS.match(version)
    return found[0].replace("~", "-") if found else version


def colour(support: Support) -> str:
    """Return the colour of a badge: green where everything works everywhere, yellow where something does."""
    good, tried = works_on(support)
    if not tried:
        return GREY
    return RED if not good else GREEN if len(good) == len(tried) else YELLOW


def endpoint(support: Support, *, label: str = LABEL) -> str:
    """Return the JSON that shields.io takes as an endpoint badge (https://shields.io/badges/endpoint-badge)."""
    document = {"schemaVersion": 1, "label": label, "message": message(support), "color": colour(support)}
    return json.dumps(document, indent=2) + "\n"


def badge_svg(support: Support, *, label: str = LABEL) -> str:
    """Return the badge as a picture."""
    return badge.render(label, message(support), colour(support))
