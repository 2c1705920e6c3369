"""Network namespaces with a name. Real ones are for a real guest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.agent.namespaces import inside, namespace_fd


def test_without_a_name_it_stays_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.agent.namespaces.namespace_fd", lambda name: pytest.fail(f"entered {name}"))
    with inside(""):
        pass


def test_a_namespace_is_a_file_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.agent.namespaces.NAMESPACES", str(tmp_path))
    (tmp_path / "other").write_text("of it")
    fd = namespace_fd("other")
    assert os.read(fd, 10) == b"of it"
    os.close(fd)
    own = namespace_fd("")
    assert os.fstat(own).st_ino == Path("/proc/self/ns/net").stat().st_ino
    os.close(own)
    with pytest.raises(FileNotFoundError):
        namespace_fd("missing")
