"""What a release carries, written from finished runs; and whether what was downloaded is that."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import EXIT_OK, ReportError, UsageError
from harness.host.called_as import command
from harness.host.files import temporary, write_atomically
from harness.host.paths import shown

if TYPE_CHECKING:
    from harness.reports.provenance import Made

ARCHIVE = ".tar.gz"
LOCK = "matrix.lock"


def release_report(
    runs: Sequence[Path],
    *,
    output: Path,
    last_wins: bool,
    cases: Sequence[str],
    lock: Path,
    verified: Path | None = None,
) -> int:
    """Write the files of a release from some runs, into a folder and as a .tar.gz beside it; return the exit code.

    The runs are one, or are merged. `cases` are patterns of those that the badge speaks of. Where a bundle is to be
    `verified`, that is all that is done. Raises UsageError where there is no run, or the folder has other files in it.
    """
    if verified is not None:
        return verify(verified)
    from harness.answers.merge import merge
    from harness.cli.answers import report_at
    from harness.reports import archive, bundle, grid
    from harness.run.plan import matching

    reports = [report_at(run) for run in runs]
    if not reports:
        raise UsageError(f"name the runs: {command('release-report results/latest')}")
    several = len(reports) > 1 or reports[0].run.shard is not None
    report = grid.completed(merge(reports, last_wins=last_wins) if several else reports[0])
    report = replace(report, run=replace(report.run, exit_code=grid.exit_code(report)))
    badge = matching("case", cases, [case for case, _ in report.cases]) if cases else frozenset[str]()
    files = bundle.bundle(report, _made(lock=lock, badge=tuple(sorted(badge))))
    packed = archive.packed(files, folder=output.name)
    _write(files, output)
    _written(output.with_name(output.name + ARCHIVE), packed)
    print(f"{shown(output)}: {len(files)} files; {grid.headline(report)}")
    print(f"{shown(output)}{ARCHIVE}: {len(packed) / 2**20:.1f} MiB, sha256 {bundle.sha256(packed)}")
    return EXIT_OK


def verify(path: Path) -> int:
    """Say what is wrong with a bundle, a folder or a .tar.gz; return the exit code, 0 where nothing is."""
    from harness.reports import bundle

    found = bundle.problems(_read(path), _made(lock=Path(LOCK)).version)
    for problem in found:
        print(f"{shown(path)}: {problem}")
    if not found:
        print(f"{shown(path)}: {len(bundle.FILES)} files, whole, and each follows from {bundle.REPORT}")
    return bundle.exit_code(found)


def _read(path: Path) -> dict[str, bytes]:
    """Return the files of a folder or of a .tar.gz, by their paths in it; raise UsageError where there is neither."""
    from harness.reports import archive

    try:
        if not path.is_dir():
            return archive.unpacked(path.read_bytes(), name=shown(path))
        found = {}
        for each in sorted(path.rglob("*")):
            name = each.relative_to(path).as_posix()
            if each.is_symlink() or not (each.is_file() or each.is_dir()):
                raise UsageError(f"{shown(each)} is no plain file; a bundle has no other")
            if each.is_file():
                found[name] = each.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"{shown(path)}: there is no such folder or {ARCHIVE}") from error
    except OSError as error:
        raise ReportError(f"{shown(path)} cannot be read: {error.strerror or error}") from error
    return found


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    """Put files into a folder that has nothing else, all at once: an earlier bundle in it is replaced."""
    from harness.reports import bundle

    foreign = sorted({path.name for path in folder.iterdir()} - set(bundle.FILES)) if folder.is_dir() else []
    if foreign:
        raise UsageError(f"{shown(folder)} has other files in it ({', '.join(foreign[:3])}); name another --output")
    made = temporary(folder)
    try:
        made.mkdir(parents=True)
        for name, content in files.items():
            (made / name).write_bytes(content)
        if folder.is_dir():
            shutil.rmtree(folder)
        made.replace(folder)
    except OSError as error:
        shutil.rmtree(made, ignore_errors=True)
        raise _unwritten(folder, error) from error


def _written(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> ReportError:
    from harness.reports.folder import failure_text

    return ReportError(failure_text(error, f"{shown(path)} could not be written"))


def _made(*, lock: Path, badge: tuple[str, ...] = ()) -> Made:
    """Return where this is made, and by what: this host's checkouts, the lock, the variables of a workflow."""
    from harness import __version__
    from harness.host import package_data
    from harness.reports import bundle, provenance

    program, changed = _checkout(package_data.data_folder()) if package_data.is_checkout() else ("", False)
    return provenance.made_in(
        os.environ,
        version=f"{__version__}{f' at commit {program}' if program else ''}{', with changes' if changed else ''}",
        checkout=_checkout(Path.cwd()),
        lock=bundle.sha256(lock.read_bytes()) if lock.is_file() else "",
        badge=badge,
    )


def _checkout(folder: Path) -> tuple[str, bool]:
    """Return the commit of the checkout that a folder is in ("" where it is in none), and whether files changed."""
    from harness.host import process

    if not process.has_tool("git"):
        return "", False
    said = process.run(["git", "rev-parse", "HEAD"], cwd=folder)
    if said.returncode != 0:
        return "", False
    changed = process.run(["git", "status", "--porcelain", "--untracked-files=no"], cwd=folder).stdout.strip()
    return said.stdout.strip(), bool(changed)
