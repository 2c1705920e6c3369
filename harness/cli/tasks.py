"""The commands of bpfmatrix for its users, as Invoke tasks. Each is one call into the harness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.options import number, takes

if TYPE_CHECKING:
    from harness.run.options import Options


@takes(help={"folder": "Where to write it (default: the current folder)."})
def init(folder: str = ".") -> None:
    """Write a project of one's own: a matrix with kernels for this machine, and a first case."""
    from harness.cli import commands

    commands.init(Path(folder))


@takes(
    *("kernel", "arch", "libbpf", "clang", "case", "suite", "results", "accel", "jobs", "locked", "cold", "resume"),
    "matrix_file",
    default=True,
    help={
        "repeat": "How often all of it runs, one run after the other; any difference between them fails.",
        "failed_of": "Only the cells that failed in this run, such as results/latest, or have no answer.",
    },
)
def matrix(options: Options, repeat: int = 1, failed_of: str = "") -> int:
    """Run the cases on the kernels and write reports."""
    from harness.cli import commands

    if failed_of:
        return commands.failed_again(options, run=Path(failed_of), repeat=repeat)
    return commands.matrix(options, repeat=repeat)


@takes(
    *("kernel", "arch", "libbpf", "results", "accel", "jobs", "locked", "cold", "resume", "matrix_file"),
    after="argv",
    help={
        "push": "A file or folder that goes along: FILE, or FILE:PLACE in the guest (repeatable).",
        "package": "A Debian package that the guest has, with all that it depends on (repeatable).",
        "env": "A variable of the command: NAME=VALUE, or NAME for its value here (repeatable).",
        "module": "A module of the kernel's that is loaded before, with all that it depends on (repeatable).",
        "junit": "A pattern of the JUnit files that the command writes in the guest; their tests are sub-results.",
        "cwd": "The folder of the guest in which the command starts (default: /root).",
        "deadline": "Seconds that the command may take (default: 60).",
        "memory": "Memory of the guest in MiB, if it needs more than the kernel's.",
        "cpus": "Processors of the guest.",
        "interactive": "Give a shell in the guest of a command that fails, before it ends.",
        "verbose": "Show what the commands write as it comes, also of several guests at once.",
        "matrix_file": "The matrix file (default: matrix.yaml, or the kernels that come with bpfmatrix).",
    },
)
def exec(
    options: Options,
    argv: Sequence[str],
    push: Sequence[str] = (),
    package: Sequence[str] = (),
    env: Sequence[str] = (),
    module: Sequence[str] = (),
    junit: str = "",
    cwd: str = "",
    deadline: str = "",
    memory: str = "",
    cpus: str = "",
    interactive: bool = False,
    verbose: bool = False,
) -> int:
    """Run a command and its files as root in a guest of its own on each kernel: exec [options] -- COMMAND."""
    from harness.cli import commands
    from harness.cli.exec import Asked

    return commands.exec(
        options,
        Asked(
            argv=argv,
            push=push,
            package=package,
            env=env,
            module=module,
            junit=junit,
            cwd=cwd,
            deadline=deadline,
            memory=number("--memory", memory) if memory else None,
            cpus=number("--cpus", cpus) if cpus else None,
            interactive=interactive,
            verbose=verbose,
        ),
    )


@takes(
    *("kernel", "arch", "libbpf", "clang", "case", "results", "accel", "jobs", "locked", "cold", "resume"),
    "matrix_file",
    plain="objects",
    help={
        "objects": "BPF objects, sources (*.bpf.c), folders of these, or programs that carry objects.",
        "program": "Try only programs whose name matches this pattern, optional ones too (repeatable).",
        "rodata": "Set a global variable before the load: VARIABLE=VALUE (repeatable).",
        "btf": "A file with the types of a kernel (BTF) for CO-RE, in place of the kernel's own.",
        "run": "Run the built-in workload once a program is attached (default: yes; --no-run leaves it out).",
        "require_run": "Fail where a program was attached and did not run.",
        "config": "The file that says more of the objects (default: check.yaml beside them).",
        "accept": "Draft rules for check.yaml from what this run saw, such as results/latest; nothing is run.",
        "precheck": "Say in the reports where the kernels' types had let expect otherwise (see `precheck`).",
        "matrix_file": "The matrix file (default: matrix.yaml, or where there is none the kernels that come with it).",
        "results": "Folder for the results (default: results/ beside matrix.yaml, or here where there is none).",
    },
)
def check(
    options: Options,
    objects: list[str],
    program: tuple[str, ...] = (),
    rodata: tuple[str, ...] = (),
    btf: str = "",
    run: bool = True,
    require_run: bool = False,
    config: str = "",
    accept: str = "",
    precheck: bool = False,
) -> int:
    """Try the programs of BPF objects of one's own, each by itself and all together."""
    from harness.cli import commands

    return commands.check(
        options,
        objects=[Path(each) for each in objects],
        programs=program,
        rodata=rodata,
        btf=Path(btf) if btf else None,
        run=run,
        require_run=require_run,
        config=Path(config) if config else None,
        accept=Path(accept) if accept else None,
        precheck=precheck,
    )


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
    },
)
def merge(runs: list[str], output: str = "results/merged", last_wins: bool = False) -> int:
    """Write the reports of several runs as those of one, such as the shards of a run."""
    from harness.cli import answers

    return answers.merge([Path(run) for run in runs], output=Path(output), last_wins=last_wins)


@takes(
    *("kernel", "case", "suite", "results", "accel", "jobs", "cold", "matrix_file"),
    help={
        "kernel": "The kernel of the matrix whose source says which builds there are.",
        "case": "The case whose answer changes.",
        "good": "A version of one of these builds (default: the oldest that there is).",
        "bad": "A version of another one (default: the newest that there is).",
        "word": "Show lines of the changelogs that have this word in them, too (repeatable).",
    },
)
def bisect(options: Options, good: str = "", bad: str = "", word: tuple[str, ...] = ()) -> int:
    """Find the two neighbouring builds of a kernel between which the answer of a case changes."""
    from harness.cli import commands

    return commands.bisect(options, good=good, bad=bad, words=word)


def _path(text: str) -> Path | None:
    return Path(text) if text else None


@takes(
    *("kernel", "arch", "case", "results", "accel", "jobs", "suite", "matrix_file"),
    help={
        "case": "Only cases whose id matches this pattern (repeatable; at least one is needed).",
        "results": "Folder for the results; the last 20 runs are kept (default: results/ beside matrix.yaml).",
    },
)
def watch(options: Options) -> int:
    """Run the cases on the kernels, and again after every save, until Ctrl-C."""
    from harness.cli import commands

    return commands.watch(options)


@takes("arch", "matrix_file")
def kernels(options: Options) -> None:
    """List the kernels of the matrix and what the lock pins them to."""
    from harness.cli import commands

    commands.kernels(options)


@takes("matrix_file", "suite")
def cases(options: Options) -> None:
    """List the cases."""
    from harness.cli import commands

    commands.cases(options)


@takes("kernel", "matrix_file")
def lock(options: Options) -> None:
    """Pin the newest packages that the matrix stands for in matrix.lock."""
    from harness.cli import commands

    commands.lock(options)


@takes("accel", "matrix_file", help={"kernel": "The kernel to boot."})
def shell(options: Options, kernel: str) -> int:
    """Boot one kernel and give an interactive shell in it."""
    from harness.cli import commands

    return commands.shell(options, kernel=kernel)


@takes("matrix_file")
def doctor(options: Options) -> int:
    """Say what this host offers, and what to do about what is missing."""
    from harness.cli import commands

    return commands.doctor(options)


@takes(help={"results": "Remove the results of earlier runs, too."})
def clean(results: bool = False) -> None:
    """Empty the cache of kernels, images and objects."""
    from harness.cli import commands

    commands.clean(results=Path("results") if results else None)


@takes(
    *("accel", "suite", "matrix_file"),
    help={
        "kernel": "The kernel to measure (default: the host architecture's 6.1, else its first).",
        "rounds": "How often each thing is measured, in turns (default: 5).",
        "matrix_kernels": "The kernels of the matrix at 1 and 2 jobs, as a pattern (default: all of the architecture).",
        "quick": "Measure once, without the matrix.",
        "output": "Folder for bench.json, bench.md and phases.svg (default: results/bench-TIME).",
        "page": "A page that has the marks for the tables, such as docs/performance.md; the plot goes beside it.",
    },
)
def bench(
    options: Options,
    kernel: str = "",
    rounds: int = 5,
    matrix_kernels: str = "*",
    quick: bool = False,
    output: str = "",
    page: str = "",
) -> int:
    """Measure what a cell costs, against a bare boot of its kernel."""
    from harness.bench import command

    return command.bench(
        options,
        kernel=kernel or None,
        rounds=rounds,
        matrix_kernels=matrix_kernels,
        quick=quick,
        output=Path(output) if output else None,
        page_file=Path(page) if page else None,
    )


@takes(
    *("kernel", "case", "results", "accel", "jobs", "cold", "suite", "matrix_file"),
    help={
        "kernel": "Run mutants on kernels whose name matches this pattern (repeatable; default: 6.12 of the host's "
        "architecture, and others for cases that do not work there).",
        "transcripts": "Judge changed expectations on what this run recorded, such as results/latest (default: on what "
        "the guests of this command report).",
        "guests": "Also run mutants in guests (default: yes; --no-guests leaves them out, and needs --transcripts).",
        "results": "Folder for the results (default: results/ beside matrix.yaml); the report goes to mutants/ in it.",
        "jobs": "How many guests run at once (default: 2).",
        "cold": "Boot every guest.",
    },
)
def mutants(options: Options, transcripts: str = "", guests: bool = True) -> int:
    """Change each case in one place at a time, and see whether its cell turns red."""
    from harness.mutants import command

    return command.mutants(
        command.Wanted(options=options, transcripts=Path(transcripts) if transcripts else None, guests=guests)
    )
