"""What a run comes to as one line of JSON, for the program that has started it. Pure."""

from __future__ import annotations

import json

from harness.answers.explain import explain
from harness.model.exit_codes import exit_meaning
from harness.model.phases import Phase
from harness.model.results import Report, Verdict
from harness.reports.explanation import document
from harness.reports.grid import completed

SCHEMA = 1


def as_json(report: Report, *, folder: str, program: str) -> str:
    """Return the summary of a report that lies in `folder`; `program` is how the command line is called.

    It has the counts of verdicts, of all and by kernel, and the causes of what failed as `explain --json` has them.
    """
    report = completed(report)
    run, causes = report.run, document(explain(report, program=program))
    by_kernel: dict[str, dict[str, int]] = {kernel.name: {} for kernel in report.kernels}
    for cell in report.cells:
        counts = by_kernel[cell.kernel]
        counts[cell.verdict] = counts.get(cell.verdict, 0) + 1
    found = {
        "schema": SCHEMA,
        "run": run.id,
        "folder": folder,
        "exit_code": run.exit_code,
        "meaning": exit_meaning(run.exit_code),
        "complete": run.complete,
        "seconds": run.seconds,
        "accel": run.accel,
        "shard": run.shard.name if run.shard else None,
        "verdicts": {verdict: sum(counts.get(verdict, 0) for counts in by_kernel.values()) for verdict in Verdict},
        "kernels": [
            {
                "name": kernel.name,
                "arch": kernel.arch,
                "release": kernel.release,
                "seconds": kernel.seconds.get(Phase.TOTAL),
                "verdicts": by_kernel[kernel.name],
            }
            for kernel in report.kernels
        ],
        "causes": causes["causes"],
        "problems": causes["problems"],
        "notices": list(run.notices),
    }
    return json.dumps(found, separators=(",", ":")) + "\n"
