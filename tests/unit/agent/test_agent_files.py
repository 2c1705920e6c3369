"""Text of files, those that cannot be read included."""

from __future__ import annotations

from pathlib import Path

from harness.agent.files import TEXT_LIMIT, read_text, read_whole


def test_a_small_file_without_white_space_at_its_ends(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\n 1 \xff 2\n")
    assert read_text(str(tmp_path / "f")) == "1 \N{REPLACEMENT CHARACTER} 2"
    (tmp_path / "f").write_bytes(b"x" * (TEXT_LIMIT + 1))
    assert read_text(str(tmp_path / "f")) == "x" * TEXT_LIMIT


def test_a_large_file_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"line\n\xff" * TEXT_LIMIT)
    assert read_whole(str(tmp_path / "f")) == "line\n\N{REPLACEMENT CHARACTER}" * TEXT_LIMIT


def test_what_cannot_be_read_is_nothing(tmp_path: Path) -> None:
    for path in (str(tmp_path / "none"), str(tmp_path)):
        assert read_text(path) is None
        assert read_whole(path) == ""
