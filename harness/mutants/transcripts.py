"""What a run has recorded, read again: the records of every kernel from the agent's lines and the consoles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import AgentError, UsageError
from harness.facts.records import STEP_MARK, CaseRecord, Ending, ending_of
from harness.facts.transcript import Transcript
from harness.guest.boot import LISTENING
from harness.guest.snapshots import GREETED
from harness.model.results import CellResult, OutcomeKind
from harness.reports.json_report import parse

STARTED = (GREETED, LISTENING)
"""What a guest writes to its console when it starts, restored or booted."""
LINES_FILE, CONSOLE_FILE, REPORT_FILE = "agent.jsonl", "console.log", "report.json"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a run recorded on one kernel: a record by case, and the cells as the run judged them."""

    kernel: str
    arch: str
    version: str
    records: dict[str, CaseRecord]
    cells: dict[str, CellResult]


def read_run(folder: Path) -> list[Recorded]:
    """Read the kernels of a run's folder that have transcripts; raise UsageError where it is no such folder."""
    path = folder / REPORT_FILE
    try:
        report = parse(path.read_text(encoding="utf-8"), name=str(path))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); --transcripts takes the folder of a run, such as results/latest"
        ) from error
    found = []
    for kernel in report.kernels:
        own = folder / kernel.name
        cells = {cell.case: cell for cell in report.cells if cell.kernel == kernel.name}
        try:
            records = records_of((own / LINES_FILE).read_bytes().splitlines(), (own / CONSOLE_FILE).read_text("utf-8"))
        except OSError:
            continue  # this kernel did not come to run anything
        except AgentError as error:
            raise UsageError(
                f"{own / LINES_FILE} cannot be read; a run of another version is of no use here, so run "
                f"the matrix again. {error}"
            ) from error
        # Of a guest that gave no answer, only the console of one that died says why.
        died = {name for name, cell in cells.items() if cell.outcome.kind == OutcomeKind.CRASHED}
        records = {name: one for name, one in records.items() if one.ending is None or name in died}
        found.append(
            Recorded(kernel=kernel.name, arch=kernel.arch, version=kernel.version, records=records, cells=cells)
        )
    if not found:
        raise UsageError(f"{folder} has no transcripts ({LINES_FILE} in a folder for each kernel)")
    return found


def records_of(lines: Iterable[bytes], console: str) -> dict[str, CaseRecord]:
    """Return the records by case of some guests in a row: what their agents wrote, and what was on their consoles.

    A guest's answer begins with its `hello` line. A case without its end is one in which its guest died; how, the
    console says. Raises AgentError where the lines are not the protocol's.
    """
    found: dict[str, CaseRecord] = {}
    for transcript in _transcripts(lines):
        for case in transcript.ended():
            found[case] = transcript.record(case)
        if transcript.current is not None:
            found[transcript.current] = transcript.record(transcript.current, _ending(transcript.current, console))
    return found


def _transcripts(lines: Iterable[bytes]) -> Iterator[Transcript]:
    transcript: Transcript | None = None
    for line in lines:
        if line.strip() and json.loads(line).get("type") == "hello":
            if transcript is not None:
                yield transcript
            transcript = Transcript()
        if transcript is not None:
            transcript.feed(line)
    if transcript is not None:
        yield transcript


def _ending(case: str, console: str) -> Ending:
    """Return how the guest of a case ended that died in it: by the console, from its first mark to the next guest's."""
    lines = console.splitlines()
    marks = [STEP_MARK.match(line) for line in lines]
    begins = [index for index, mark in enumerate(marks) if mark and (mark["case"], mark["index"]) == (case, "0")]
    start = begins[-1] if begins else len(lines)
    others = (
        index
        for index in range(start, len(lines))
        if any(text in lines[index] for text in STARTED) or ((mark := marks[index]) and mark["case"] != case)
    )
    end = next(others, len(lines))
    return ending_of(
        what=f"running {case}",
        console="\n".join(lines[start:end]),
        qemu_reason="guest-reset",
        qemu_gone=True,
    )
