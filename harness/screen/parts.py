"""What a terminal shows of the programs of objects: how many are attached on each kernel, and which are not."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from harness.model.results import Report
from harness.reports.parts import counted, lines_of
from harness.screen.terminal import STYLES, printable


def print_parts(report: Report, *, console: Console) -> None:
    """Print a line for each kernel and object, and below it those of the programs that must be looked at.

    What to do about them is said the first time.
    """
    advised = {""}
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
            for found in lines_of(cell.parts):
                console.print(Text(f"  {printable(found.text)}", style=STYLES[found.verdict]), soft_wrap=True)
                if found.advice not in advised:
                    advised.add(found.advice)
                    console.print(Text(f"    {printable(found.advice)}"), soft_wrap=True)
