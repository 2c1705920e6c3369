"""What the task `bench` does. A module of its own, so that no other command loads what only this one needs."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from harness.bench import pages
from harness.bench.document import build, render
from harness.bench.measure import COUNTS, QUICK_COUNTS, Bench, Wanted
from harness.errors import EXIT_OK, EXIT_UNEXPECTED, UsageError
from harness.host.cache import Cache
from harness.host.paths import shown
from harness.host.scratch import scratch_folder
from harness.reports import page
from harness.run.options import Options
from harness.screen.lines import make_console


def bench(
    options: Options,
    *,
    kernel: str | None,
    rounds: int,
    matrix_kernels: str,
    quick: bool,
    output: Path | None,
    page_file: Path | None,
) -> int:
    """Measure, write bench.json, bench.md and phases.svg; return 1 where a guest gave another outcome than `works`.

    `page_file` is a page that has the marks for the tables; the plot is written beside it. Raises UsageError where it
    cannot be read or has no marks, before anything is measured.
    """
    wanted = Wanted(
        options=options,
        kernel=kernel,
        rounds=1 if quick else rounds,
        matrix_kernels=None if quick else matrix_kernels,
        counts=QUICK_COUNTS if quick else COUNTS,
        command=shlex.join(["bpfmatrix", *sys.argv[1:]]),
    )
    console = make_console()
    if page_file is not None:
        _page_with_place(page_file)
    with scratch_folder() as scratch:
        measuring = Bench(wanted, cache=Cache(), scratch=scratch, say=lambda text: console.print(text, markup=False))
        document = build(measuring.run())
    folder = output or options.project.folder / "results" / f"bench-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(render(document), encoding="utf-8")
    (folder / "bench.md").write_text(f"{pages.table(document, plot='phases.svg')}\n", encoding="utf-8")
    (folder / "phases.svg").write_text(pages.plot(document), encoding="utf-8")
    if page_file is not None:
        text = _page_with_place(page_file)  # somebody may have written on it meanwhile
        picture = page_file.with_suffix(".svg")
        picture.write_text(pages.plot(document), encoding="utf-8")
        page_file.write_text(
            page.insert(text, pages.table(document, plot=picture.name), part=page.BENCH), encoding="utf-8"
        )
    for name, ratio in document["ratios"].items():
        console.print(f"{name:<26} {'not measured' if ratio is None else f'{ratio:.2f}'}", markup=False)
    for problem in document["problems"]:
        console.print(f"another outcome than works: {problem}", markup=False)
    console.print(f"{shown(folder)}/bench.json, bench.md, phases.svg", markup=False)
    return EXIT_UNEXPECTED if document["problems"] else EXIT_OK


def _page_with_place(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    page.insert(text, "", part=page.BENCH)
    return text
