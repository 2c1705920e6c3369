"""A forecast as Markdown, and as the lines that a terminal shows. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.forecast.answers import Answer, Weight
from harness.forecast.comparing import Agreement, Compared, Comparison
from harness.forecast.document import Forecast, ObjectForecast
from harness.forecast.spans import Series, light_findings, sentences, series_of, spans_of

IT_IS = (
    "A forecast: what the types (BTF) of the kernels show. They do not show which functions were inlined or may not be "
    "traced, nor what the verifier thinks of a program. Only a run decides."
)
SIGNS = {Answer.FOUND: "✓", Answer.MISSING: "✗", Answer.NEEDS_MODULE: "m", Answer.NOT_SHOWN: "?"}
"""What a table has for an answer."""
MEANINGS = "✓ found, ✗ missing, m in a module that must be loaded, ? not shown by BTF"
MOST_NAMED = 6
AGREEMENTS = {
    Agreement.AGREES: "agree",
    Agreement.RUN_REFUSES: "found, and yet refused",
    Agreement.RUN_WORKS: "missing, and yet attached",
    Agreement.LEFT_OPEN: "left open",
    Agreement.NO_ANSWER: "without an answer of the run",
}


def lines_of(forecast: Forecast) -> Iterator[tuple[str, Answer | None]]:
    """Yield the lines for a terminal, each with the answer that it is about.

    Programs of which the same is said are one line.
    """
    for found in forecast.objects:
        for arch, fault in found.faults.items():
            yield f"{found.name} ({arch}): {fault}", Answer.MISSING
        for series in series_of(forecast.kernels):
            if any(found.kernels.get(kernel.name) for kernel in series.kernels):
                yield f"{found.name} ({series.title}, {_count(len(series.kernels), 'kernel')})", None
                yield from _program_lines(found, series)
    for kernel in forecast.kernels:
        if kernel.problem:
            yield f"{kernel.name}: {kernel.problem}", Answer.MISSING


def _program_lines(found: ObjectForecast, series: Series) -> Iterator[tuple[str, Answer | None]]:
    alike: dict[tuple[str, ...], tuple[list[str], Answer]] = {}
    on = found.on()
    for program in found.programs:
        spans = spans_of(series, found, program.name)
        if not spans:
            continue
        worst = next(answer for answer in reversed(Answer) if any(each.answer is answer for each in spans))
        text = tuple(sentences(spans))
        names, _ = alike.setdefault(text, ([], worst))
        names.append(program.name if program.name in on else f"{program.name} (off)")
    for text, (names, worst) in alike.items():
        yield f"  {_names(names)}: {', '.join(text) if len(text) == 1 else '; '.join(text)}", worst


def _names(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def summary_of(forecast: Forecast) -> str:
    """Return what it comes to, in a line: programs on kernels, by answer."""
    counts: dict[Answer, int] = {}
    for found in forecast.objects:
        on = found.on()
        for programs in found.kernels.values():
            for each in programs:
                if each.program in on:
                    counts[each.answer] = counts.get(each.answer, 0) + 1
    said = ", ".join(f"{counts[answer]} {answer}" for answer in Answer if answer in counts) or "nothing to say"
    looked = sum(not each.problem for each in forecast.kernels)
    return f"{_count(len(forecast.objects), 'object')} on {_count(looked, 'kernel')}, program by program: {said}"


def render(forecast: Forecast) -> str:
    """Return precheck.md."""
    lines = ["# What the kernels' types show", "", IT_IS, "", f"{summary_of(forecast)} ({forecast.seconds:.1f} s).", ""]
    for found in forecast.objects:
        lines += [f"## {found.name}", "", found.title, ""]
        lines += [f"- {arch}: {fault}" for arch, fault in found.faults.items()]
        for series in series_of(forecast.kernels):
            lines += _table(found, series)
    problems = [f"- {each.name}: {each.problem}" for each in forecast.kernels if each.problem]
    lines += ["## Kernels that could not be looked at", "", *problems, ""] if problems else []
    lines += ["## Notices", "", *(f"- {text}" for text in forecast.notices), ""] if forecast.notices else []
    return "\n".join(lines).rstrip() + "\n"


def _table(found: ObjectForecast, series: Series) -> list[str]:
    there = [kernel for kernel in series.kernels if found.kernels.get(kernel.name)]
    if not there:
        return []
    on = found.on()
    rows = [
        f"### {series.title}",
        "",
        MEANINGS,
        "",
        "| program | section | on which kernels | beside |",
        "|---|---|---|---|",
    ]
    for program in found.programs:
        spans = spans_of(series, found, program.name)
        if spans:
            said = "<br>".join(
                f"{SIGNS[span.answer]} {_cell(text)}" for span, text in zip(spans, sentences(spans), strict=True)
            )
            beside = light_findings(spans_of(series, found, program.name, light=True))
            notes = "<br>".join(
                f"{_cell(each.text)}{', which it tests for' if each.weight is Weight.TESTED else ''}"
                f"{f' ({count} of {len(there)})' if count < len(there) else ''}"
                for each, count in beside
            )
            name = program.name if program.name in on else f"{program.name} (off)"
            rows.append(f"| {_cell(name)} | {_cell(program.section)} | {said} | {notes} |")
    return [*rows, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def comparison_lines(found: Comparison) -> Iterator[str]:
    """Yield what a comparison with a run comes to: a line for all of it, one for each disagreement."""
    counts = ", ".join(f"{found.count(each)} {text}" for each, text in AGREEMENTS.items() if found.count(each))
    where = f"{_count(len(found.kernels), 'kernel')}: {', '.join(found.kernels)}" if found.kernels else "no kernel"
    yield f"compared with the run on {where}: {counts or 'nothing that both have'}"
    for each in found.disagreements:
        yield f"  {each.object}/{each.program} on {each.kernel} ({each.version}): {_disagreement(each)}"
    for text in found.left_out:
        yield f"  left out: {text}"


def _disagreement(each: Compared) -> str:
    said = "; ".join(one.text for one in each.said.findings if one.weight is Weight.MISSING)
    return f"forecast {each.said.answer}{f' ({said})' if said else ''}, run: {each.outcome}"


def render_comparison(found: Comparison) -> str:
    """Return the section of precheck.md that compares with a run."""
    first, *others = comparison_lines(found)
    return (
        "\n".join(
            [
                "## Compared with a run",
                "",
                f"{first[0].upper()}{first[1:]}.",
                "",
                *(f"- {each.strip()}" for each in others),
            ]
        ).rstrip()
        + "\n"
    )
