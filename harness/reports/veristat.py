"""What the verifier did with each program of a row, as veristat reads it (tools/testing/selftests/bpf/veristat.c).

`veristat -R FILE` shows such a file, `veristat -C BASE FILE` compares two, which must have the same columns; it knows
all of these since `prog_size_jited` came with Linux 6.14. A number that is not known is -1, as veristat itself has it
for memory; what the kernel refused is a `failure` with such numbers. There is no `duration`: under emulation it says
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.model.measures import INSTRUCTIONS, JITED, PEAK_STATES, TOTAL_STATES
from harness.model.results import Report
from harness.reports.programs import Program, programs_of

FOLDER = "veristat"
"""The folder of a run that has a file for each row, as ROW.csv."""
NUMBERS = {
    "total_insns": INSTRUCTIONS,
    "total_states": TOTAL_STATES,
    "peak_states": PEAK_STATES,
    "prog_size_jited": JITED,
}
"""The columns with numbers by veristat's names, and the measure of each (harness/model/measures.py)."""
COLUMNS = ("file_name", "prog_name", "verdict", *NUMBERS)
UNKNOWN = -1
_UNFIT = re.compile(r"[^A-Za-z0-9._+:/@-]+")
"""What no name has: veristat takes lines apart at commas, and has no quotes."""
_NO_FILE = re.compile(r"^\.|[^A-Za-z0-9._+-]")


def files_of(report: Report) -> Mapping[str, str]:
    """Return the text of a file for each row that has programs, by its path in the run's folder."""
    rows: dict[str, list[Program]] = {}
    for program in programs_of(report):
        rows.setdefault(program.kernel, []).append(program)
    return {f"{FOLDER}/{_NO_FILE.sub('_', row)}.csv": csv_of(programs) for row, programs in rows.items()}


def csv_of(programs: list[Program]) -> str:
    """Return the programs of one row as CSV."""
    lines = [COLUMNS, *(_line(program) for program in programs)]
    return "".join(f"{','.join(line)}\n" for line in lines)


def _line(program: Program) -> tuple[str, ...]:
    numbers = (str(program.measured.get(measure, UNKNOWN)) for measure in NUMBERS.values())
    return _fit(program.case), _fit(program.name), "success" if program.accepted else "failure", *numbers


def _fit(name: str) -> str:
    return _UNFIT.sub("_", name) or "_"
