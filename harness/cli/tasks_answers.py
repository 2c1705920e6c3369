"""The tasks that answer without any guest, from finished runs and from types of kernels: each is one call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.options import takes

if TYPE_CHECKING:
    from harness.run.options import Options


@takes(
    "matrix_file",
    help={
        "run": "The folder of the run, such as results/latest.",
        "rules": "recorded: by the expectations that the run had; current: by those of today (default: recorded).",
        "matrix_file": "The matrix file, for the rules of today (default: matrix.yaml).",
    },
)
def judge(options: Options, run: str, rules: str = "recorded") -> int:
    """Write the reports of a finished run again, without any guest."""
    from harness.cli import commands

    return commands.judge(options, run=Path(run), rules=rules)


@takes(
    help={
        "base": "The earlier run: its folder, or its report.json.",
        "head": "The run to compare with it, such as results/latest.",
        "common": "Only what both runs have: what is gone is no failure.",
        "markdown": "A file for the comparison as Markdown.",
        "json": "A file for the comparison as JSON.",
    },
)
def compare(base: str, head: str, common: bool = False, markdown: str = "", json: str = "") -> int:
    """Say what changed between two runs: exit code 1 where something became worse."""
    from harness.cli import answers

    return answers.compare(Path(base), Path(head), common=common, markdown=_path(markdown), json=_path(json))


@takes(
    help={
        "run": "The folder of the run, such as results/latest, or its report.json.",
        "markdown": "A file for the failures as Markdown.",
        "json": "A file for the failures as JSON.",
    },
)
def explain(run: str, markdown: str = "", json: str = "") -> int:
    """Say what failed in a run, everything of one cause together, with the command that shows it again."""
    from harness.cli import answers

    return answers.explain(Path(run), markdown=_path(markdown), json=_path(json))


@takes(
    plain="runs",
    help={
        "runs": "The folders of runs, or their report.json.",
        "case": "Only cases whose id matches this pattern (repeatable).",
        "markdown": "A file for the statement as Markdown (default: it is shown).",
        "json": "A file for the statement as JSON.",
        "badge": "A file for a badge: a picture (FILE.svg), or the JSON of an endpoint badge (any other name).",
    },
)
def support(runs: list[str], case: tuple[str, ...] = (), markdown: str = "", json: str = "", badge: str = "") -> int:
    """Say from finished runs on which kernels each case was seen to work, and where that is not known."""
    from harness.cli import answers

    return answers.support(
        [Path(run) for run in runs], cases=case, markdown=_path(markdown), json=_path(json), badge=_path(badge)
    )


@takes(
    plain="runs",
    help={
        "runs": "Runs by their folder or report.json, or folders of runs, such as results.",
        "db": "A file that keeps the answers of all runs that it was ever given (SQLite).",
        "case": "Only cases whose id matches this pattern (repeatable).",
        "markdown": "A file for the history as Markdown.",
        "json": "A file for the history as JSON.",
    },
)
def history(runs: list[str], db: str = "", case: tuple[str, ...] = (), markdown: str = "", json: str = "") -> int:
    """Say when answers changed, and between which builds: exit code 1 where the same inputs had different ones."""
    from harness.cli import answers

    return answers.history(
        [Path(run) for run in runs], database=_path(db), cases=case, markdown=_path(markdown), json=_path(json)
    )


@takes(
    plain="runs",
    help={
        "runs": "The folders of runs, or their report.json.",
        "output": "Folder for the reports of all of them together (default: results/merged).",
        "last_wins": "Where several runs have the same cell, take the last one's, instead of ending.",
        "partial": "Merge the shards that there are, though some are missing: their cells did not run.",
    },
)
def merge(runs: list[str], output: str = "results/merged", last_wins: bool = False, partial: bool = False) -> int:
    """Write the reports of several runs as those of one, such as the shards of a run."""
    from harness.cli import answers

    return answers.merge([Path(run) for run in runs], output=Path(output), last_wins=last_wins, partial=partial)


@takes(
    *("kernel", "arch", "results", "jobs", "locked", "matrix_file"),
    plain="objects",
    help={
        "objects": "BPF objects, sources (*.bpf.c), folders of these, or programs that carry objects.",
        "sweep": "Look at all builds that the sources of the matrix list, not at the pinned ones alone.",
        "program": "Look only at programs whose name matches this pattern, optional ones too (repeatable).",
        "rodata": "Set a global variable before the load: VARIABLE=VALUE (repeatable).",
        "btf": "A file with the types of a kernel (BTF) for CO-RE, in place of the kernel's own.",
        "config": "The file that says more of the objects (default: check.yaml beside them).",
        "json": "Write precheck.json to this file, too.",
        "compare": "Name where a finished run of check says otherwise, such as results/latest.",
        "jobs": "How many processes compare at once (default: one for each core).",
        "matrix_file": "The matrix file (default: matrix.yaml, or where there is none the kernels that come with it).",
        "results": "Folder for the results (default: results/ beside matrix.yaml, or here where there is none).",
    },
)
def precheck(
    options: Options,
    objects: list[str],
    sweep: bool = False,
    program: tuple[str, ...] = (),
    rodata: tuple[str, ...] = (),
    btf: str = "",
    config: str = "",
    json: str = "",
    compare: str = "",
) -> int:
    """Say what the types of kernels show of BPF objects of one's own, before anything is booted."""
    from harness.cli import precheck as command

    return command.precheck(
        options,
        command.Asked(
            objects=[Path(each) for each in objects],
            sweep=sweep,
            programs=list(program),
            rodata=list(rodata),
            btf=Path(btf) if btf else None,
            config=Path(config) if config else None,
            json=Path(json) if json else None,
            compare=Path(compare) if compare else None,
        ),
    )


@takes(
    "matrix_file",
    help={
        "run": "The folder of the run, such as results/latest.",
        "compare_with": "The report.json of an earlier run; one that is not there or of other rows is only reported.",
        "common": "Of the earlier run only what both have: what is gone is no failure.",
        "comment": "A file for what a pull request shows, empty where nothing changed.",
        "fail_on": "unexpected (default), regression (only what is worse than in the earlier run), or never.",
        "matrix_file": "The matrix file, whose cases the annotations lead to (default: matrix.yaml).",
    },
)
def github(
    options: Options,
    run: str,
    compare_with: str = "",
    common: bool = False,
    comment: str = "",
    fail_on: str = "unexpected",
) -> int:
    """Show a finished run in GitHub Actions: annotations, the job's summary, outputs, the text of a comment."""
    from harness.cli import github as command

    return command.github(
        Path(run),
        project=options.project,
        base=_path(compare_with),
        common=common,
        comment=_path(comment),
        fail_on=fail_on,
    )


def _path(text: str) -> Path | None:
    return Path(text) if text else None


@takes(
    "matrix_file",
    plain="runs",
    help={
        "runs": "The folders of runs, or their report.json; several are merged.",
        "output": "Folder for the files of a release; OUTPUT.tar.gz has them, too (default: results/bpfmatrix-report).",
        "last_wins": "Where several runs have the same cell, take the last one's, instead of ending.",
        "case": "Only these cases count for the badge (a pattern, repeatable; default: all).",
        "verify": "Check such a folder or .tar.gz, as somebody downloaded it, and write nothing.",
        "matrix_file": "The matrix file whose lock the provenance names (default: matrix.yaml).",
    },
)
def release_report(
    options: Options,
    runs: list[str],
    output: str = "results/bpfmatrix-report",
    case: tuple[str, ...] = (),
    last_wins: bool = False,
    verify: str = "",
) -> int:
    """Write what a release carries from finished runs: reports, support statement, checksums, provenance."""
    from harness.cli import releasing

    return releasing.release_report(
        [Path(run) for run in runs],
        output=Path(output),
        last_wins=last_wins,
        cases=case,
        lock=options.project.lock_file,
        verified=_path(verify),
    )
