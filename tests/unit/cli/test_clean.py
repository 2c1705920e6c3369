"""`invoke clean` as its user sees it: what it removes, what it asks first, and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import commands
from harness.errors import CacheInUseError, UsageError
from harness.host.cache import Cache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """A cache with one entry, which nobody uses any more."""
    monkeypatch.setenv("BPFMATRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Cache().entry("kernels", "k", lambda folder: {"bytes": (folder / "vmlinuz").write_bytes(bytes(2**20))})
    return Cache()


def entries(cache: Cache) -> list[str]:
    return [path.name for path in cache.entries("kernels")]


def test_the_cache_is_emptied(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    commands.clean(results=None)
    assert entries(cache) == []
    assert capsys.readouterr().out == f"{cache.root}: 1 MiB removed\n"


def test_results_are_emptied_too_where_they_are_named(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    run = Path("results/20261129T100000Z")
    run.mkdir(parents=True)
    (run / "report.json").write_text("{}")
    Path("results/latest").symlink_to(run.name)
    Path("results/README.md").write_text("what this folder is for")
    commands.clean(results=Path("results"))
    assert [path.name for path in Path("results").iterdir()] == ["README.md"]
    assert capsys.readouterr().out.endswith("results: emptied\n")


def test_a_missing_folder_of_results_is_seen_before_anything_is_removed(cache: Cache) -> None:
    with pytest.raises(UsageError, match="there is no folder results here, so nothing was removed"):
        commands.clean(results=Path("results"))
    assert entries(cache) == ["k"]


def test_nothing_is_removed_while_the_cache_is_in_use(cache: Cache) -> None:
    run = Path("results/20261129T100000Z")
    run.mkdir(parents=True)
    user = Cache()
    assert user.peek("kernels", "k") is not None
    with pytest.raises(CacheInUseError, match="is in use, so nothing was removed"):
        commands.clean(results=Path("results"))
    assert entries(cache) == ["k"]
    assert run.is_dir()
