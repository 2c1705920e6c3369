"""What a terminal shows of the programs of objects: how many are attached on each kernel, and which are not."""

from __future__ import annotations

from rich.console import Console

from harness.model.results import Report
from harness.reports.parts import counted, lines_of
from harness.screen.grid import STYLES
from harness.screen.lines import print_text


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
            print_text(console, line, style=STYLES[cell.verdict], indent=2)
            for found in lines_of(cell.parts):
                print_text(console, f"  {found.text}", style=STYLES[found.verdict], indent=4)
                if found.advice not in advised:
                    advised.add(found.advice)
                    print_text(console, f"    {found.advice}", indent=4)
