"""The image's Python on this host: what starts it, and what it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ImageError
from harness.supply.image.interpreter import run_python

LOADER = """#!/bin/sh
echo "$*"
echo "$PYTHONHOME $PYTHONHASHSEED"
exit 3
"""


def userland(root: Path, *loaders: str) -> Path:
    """A userland whose dynamic loaders say what they were given."""
    (root / "usr/lib/any-linux-gnu").mkdir(parents=True)
    for name in loaders:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(LOADER)
        (root / name).chmod(0o755)
    return root


@pytest.mark.parametrize("loader", ["usr/lib/any-linux-gnu/ld-linux.so.2", "usr/lib/ld64.so.1", "usr/lib64/ld64.so.2"])
def test_it_is_started_by_its_own_loader_with_its_own_libraries(tmp_path: Path, loader: str) -> None:
    root = userland(tmp_path, loader)
    done = run_python(root, "-c", "pass", root / "x", python="python3.13")
    given, environment = done.stdout.splitlines()
    assert given == f"--library-path {root}/usr/lib/any-linux-gnu {root}/usr/bin/python3.13 -P -S -c pass {root}/x"
    assert environment == f"{root}/usr 0"
    assert done.returncode == 3, "who asked says what that means"


def test_without_a_loader_it_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no dynamic loader"):
        run_python(userland(tmp_path), "-c", "pass")
