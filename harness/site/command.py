"""`invoke docs`: builds the site, strictly."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.errors import MissingToolError, SiteError, UsageError
from harness.host.paths import shown

CONFIG = "mkdocs.yml"
INDEX = "index.html"


def docs(root: Path, *, output: Path, report: Path | None, tools: Sequence[Path] = ()) -> int:
    """Build the site of the checkout `root` into a folder, with runs in it where they are named; return 0.

    `report` is a run of the suite, `tools` are runs of Debian's libbpf-tools.

    Raises SiteError with all warnings where there is any (a link to nowhere among them), MissingToolError where mkdocs
    is not installed, and UsageError where a run is none or the folder has something else in it.
    """
    try:
        from mkdocs.commands.build import build  # noqa: PLC0415  it takes half a second
        from mkdocs.config import load_config  # noqa: PLC0415
        from mkdocs.exceptions import MkDocsException  # noqa: PLC0415
    except ImportError as error:
        raise MissingToolError(
            f"{error.name} is not installed; it is needed to build the site. "
            "Install it, with all that developers need, by: ./run lint"
        ) from error
    reports = [report] if report else []
    for run in (*reports, *tools):
        if not (run / "report.json").is_file():
            raise UsageError(f"{shown(run)}: there is no report.json; name the folder of a run or of a bundle")
    if output.is_dir() and any(output.iterdir()) and not (output / INDEX).is_file():
        raise UsageError(f"{shown(output)} has something else in it; name another --output")
    with (
        _environment(BPFMATRIX_SITE_REPORT=reports, BPFMATRIX_SITE_TOOLS=tools),
        _warnings() as said,
    ):
        try:
            build(load_config(str(root / CONFIG), site_dir=str(output.resolve())))
        except MkDocsException as error:
            said.append(str(error))
    if said:
        raise SiteError("the site has mistakes:\n" + "\n".join(f"  {line}" for line in said))
    print(f"{shown(output)}/{INDEX} written")
    return 0


@contextmanager
def _environment(**folders: Sequence[Path]) -> Iterator[None]:
    """Let the hooks know the folders of the runs; nothing of it stays."""
    before = {name: os.environ.pop(name, None) for name in folders}
    os.environ.update(
        {name: os.pathsep.join(str(path.resolve()) for path in paths) for name, paths in folders.items() if paths}
    )
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect what mkdocs warns of."""
    found: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    logger, handler = logging.getLogger("mkdocs"), Collecting(level=logging.WARNING)
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)
