"""What a terminal shows of the programs of objects: how many are attached on each kernel, and which are not."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from harness.model.results import Report
from harness.reports.parts import counted, lines_of
from harness.screen.terminal import STYLES, printable


def print_parts(report: Report, *, console: Console) -> None:
    """Print a line for each kernel and object, and below it one for each program that must be looked at."""
    for kernel in report.kernels:
        for case, _ in report.cases:
            cell = report.cell(kernel.name, case)
            attached, programs = counted(cell.parts)
            said = f"{attached} of {programs} attached" if programs else f"{cell.verdict}: {cell.verdict_reason}"
            line = (
                f"{kernel.name} ({kernel.version}) {case}: {said}"
                if kernel.version
                else f"{kernel.name} {case}: {said}"
            )
            console.print(Text(printable(line), style=STYLES[cell.verdict]), soft_wrap=True)
            for text, verdict in lines_of(cell.parts):
                console.print(Text(f"  {printable(text)}", style=STYLES[verdict]), soft_wrap=True)
