"""The tasks that run cases, a command or objects on kernels. Each is one call into the harness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.options import number, takes

if TYPE_CHECKING:
    from harness.run.options import Options


@takes(
    *("kernel", "arch", "libbpf", "clang", "case", "suite", "results", "accel", "jobs", "locked", "cold", "resume"),
    *("shard", "by", "timings", "quiet", "json", "matrix_file"),
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
    *("kernel", "arch", "libbpf", "clang", "case", "suite", "by", "timings", "matrix_file"),
    help={
        "shards": "Into how many parts the plan is split (default: 1).",
        "format": "github: one line for `matrix: ${{ fromJson(...) }}`; gitlab: a file to include; json: all of it.",
    },
)
def plan(options: Options, shards: int = 1, format: str = "json") -> int:
    """Say what `matrix` would run with the same options, split into shards for a CI; nothing is run."""
    from harness.cli import planning

    return planning.plan(options, shards=shards, format=format)


@takes(
    *("kernel", "arch", "libbpf", "results", "accel", "jobs", "locked", "cold", "resume"),
    *("shard", "by", "timings", "quiet", "json", "matrix_file"),
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
    *("shard", "by", "timings", "quiet", "json", "matrix_file"),
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


@takes("accel", "matrix_file", help={"kernel": "The kernel to boot."})
def shell(options: Options, kernel: str) -> int:
    """Boot one kernel and give an interactive shell in it."""
    from harness.cli import commands

    return commands.shell(options, kernel=kernel)


@takes(
    *("kernel", "case", "suite", "results", "accel", "jobs", "cold", "matrix_file"),
    help={
        "kernel": "The kernel of the matrix whose source says which builds there are.",
        "case": "The case whose answer changes.",
        "good": "A version of one of these builds (default: the oldest that there is), or a commit.",
        "bad": "A version of another one (default: the newest that there is), or a commit.",
        "word": "Show lines of the changelogs that have this word in them, too (repeatable).",
        "commits": "A git clone of Linux: find the commit of it, each built as --kernel is (default: as defconfig).",
        "first_parent": "With --commits: leave merged branches alone, and find the merge.",
    },
)
def bisect(
    options: Options,
    good: str = "",
    bad: str = "",
    word: tuple[str, ...] = (),
    commits: str = "",
    first_parent: bool = False,
) -> int:
    """Find the two neighbouring builds of a kernel, or commits of Linux, between which the answer of a case changes."""
    from harness.cli import commands as all_commands

    if commits:
        return all_commands.bisect_commits(options, clone=Path(commits), good=good, bad=bad, first_parent=first_parent)
    return all_commands.bisect(options, good=good, bad=bad, words=word)


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
