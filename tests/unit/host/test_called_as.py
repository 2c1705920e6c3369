"""Messages name commands as their reader types them."""

from __future__ import annotations

import pytest

from harness.host import package_data
from harness.host.called_as import command


@pytest.mark.parametrize(("checkout", "typed"), [(True, "./run lock --all"), (False, "bpfmatrix lock --all")])
def test_a_command_as_it_is_typed_here(checkout: bool, typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_data, "is_checkout", lambda: checkout)
    assert command("lock --all") == typed
