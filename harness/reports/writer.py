"""Writes the reports of a run into its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from harness.errors import ReportError
from harness.host.files import write_atomically
from harness.model.results import Report
from harness.reports import grid_svg, html, json_report, junit, markdown, veristat
from harness.reports.folder import failure_text

RENDERERS: dict[str, Callable[[Report], str]] = {
    "report.json": json_report.render,
    "junit.xml": junit.render,
    "report.md": markdown.render,
    "report.html": html.render,
    "matrix.svg": grid_svg.render,
}
"""The files of a run that a Report makes, and what renders each."""

FOLDERS: dict[str, Callable[[Report], Mapping[str, str]]] = {veristat.FOLDER: veristat.files_of}
"""Its folders of files, and what renders their files, by path."""


def write(report: Report, *, directory: Path) -> tuple[Path, ...]:
    """Write every report of a run into `directory` (made where it is missing) and return their paths.

    Each file is written under a temporary name and then renamed, so that none is ever half there. One that
    fails keeps no other from being written; then ReportError is raised, with one line per failure.
    """
    written: list[Path] = []
    failures: list[str] = []
    cause: Exception | None = None
    for name, render in _renderers().items():
        path = path_of_folder = directory / name
        try:
            contents = {directory / file: text.encode() for file, text in render(report).items()}
        except Exception as error:
            cause = cause or error
            failures.append(
                f"{path} was not written, since rendering it failed: {type(error).__name__}: {error}. "
                "This is a bug of bpfmatrix; please report it with this message."
            )
            continue
        for path, content in contents.items():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, content)
            except OSError as error:
                cause = cause or error
                failures.append(failure_text(error, f"{path} could not be written"))
                continue
            written.append(path)
        if name in FOLDERS:
            _remove_others(path_of_folder, contents)
    if failures:
        there = ", ".join(path.name for path in written) or "none"
        raise ReportError("\n".join([*failures, f"Written all the same: {there}."])) from cause
    return tuple(written)


def _remove_others(folder: Path, kept: Mapping[Path, bytes]) -> None:
    """Remove the files of an earlier report from a folder: of rows that have none now."""
    for path in folder.glob("*.csv"):
        if path not in kept:
            path.unlink(missing_ok=True)


def _renderers() -> dict[str, Callable[[Report], Mapping[str, str]]]:
    """Return what renders each file, or folder of files, as texts by path."""

    def single(name: str, render: Callable[[Report], str]) -> Callable[[Report], Mapping[str, str]]:
        return lambda report: {name: render(report)}

    return {**{name: single(name, render) for name, render in RENDERERS.items()}, **FOLDERS}
