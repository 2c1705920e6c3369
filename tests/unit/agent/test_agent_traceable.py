"""Which functions of the kernel can be attached to."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.agent.traceable import function_of, traceable


def test_only_what_ftrace_lists_can_be(tmp_path: Path) -> None:
    functions = tmp_path / "functions"
    functions.write_text("tcp_connect\next4_sync_fs [ext4]\nblk_account_io_merge_bio.part.0\n")
    found = [
        traceable(name, str(functions)) for name in ("tcp_connect", "ext4_sync_fs", "blk_account_io_merge_bio", "tcp")
    ]
    assert found == [True, True, False, False]
    assert traceable("tcp_connect", str(tmp_path / "none")) is None


@pytest.mark.parametrize(
    ("section", "function"),
    [
        ("fentry/tcp_connect", "tcp_connect"),
        ("fexit.s/vfs_read", "vfs_read"),
        ("kprobe/vfs_read+0x4", "vfs_read"),
        ("kprobe", ""),
        ("freplace/f", ""),
        ("tp/a/b", ""),
    ],
)
def test_the_function_is_that_of_the_section(section: str, function: str) -> None:
    assert function_of(section) == function
