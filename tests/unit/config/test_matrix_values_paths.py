"""Paths in a matrix: from its folder, or from home."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.config.matrix_values import FilePath

PATHS: TypeAdapter[Path] = TypeAdapter(FilePath)


def test_a_relative_path_starts_at_the_matrix_file_and_home_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    at = {"folder": tmp_path}
    assert PATHS.validate_python("own/vmlinuz", context=at) == tmp_path / "own/vmlinuz"
    assert PATHS.validate_python("/vmlinuz", context=at) == Path("/vmlinuz")
    assert PATHS.validate_python("~/vmlinuz", context=at) == Path("/home/somebody/vmlinuz")
    assert PATHS.validate_python("vmlinuz") == Path("vmlinuz")


@pytest.mark.parametrize("text", ["", "~no-such-user-as-this/vmlinuz"])
def test_what_leads_nowhere_is_no_path(text: str) -> None:
    with pytest.raises(ValidationError, match="expected a path"):
        PATHS.validate_python(text)
