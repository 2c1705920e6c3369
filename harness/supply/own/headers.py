"""Headers that a source of the user's own needs and that are not found: which, and where one of that name lies."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

MOST_UP = 3
"""How many folders above that of the source are looked at, and in each the folders right in it."""
_MISSING = re.compile(r"fatal error: '([^']+)' file not found")


def missing_header(log: str, *, source: Path, start: Path) -> str:
    """Return what to do about a header that clang did not find, "" where its text speaks of none.

    `start` is the folder that paths of check.yaml begin at.
    """
    found = _MISSING.search(log)
    if found is None:
        return ""
    name = found.group(1)
    folder = _near(name, source.absolute().parent)
    place = "FOLDER" if folder is None else os.path.relpath(folder, start.absolute())
    lies = "" if folder is None else f" (there is one in {place})"
    return f"{name} is not in the folders of headers{lies}: name its folder in check.yaml, `include: [{place}]`"


def _near(name: str, folder: Path) -> Path | None:
    """Return the folder nearest to `folder` in which an include of that name would be found."""
    for above in (folder, *folder.parents[:MOST_UP]):
        places = [above / name, *sorted(above.glob(f"*/{glob.escape(name)}"))]
        for path in places:
            if path.is_file():
                return path.parents[len(Path(name).parts) - 1]
    return None
