from __future__ import annotations

from pathlib import Path

import pytest
from unit_samples import ROOT

from harness.host import package_data
from harness.host.called_as import command


def test_a_checkout_has_its_data_in_its_own_folders() -> None:
    assert package_data.data_folder() == ROOT
    assert package_data.images_folder() == ROOT / "images"
    assert package_data.include_folder() == ROOT / "bpf/include"
    assert package_data.kconfig_folder() == ROOT / "kconfig"
    assert package_data.suites() == {"tracing": ROOT / "bpf"}
    assert package_data.matrix_file() == ROOT / "matrix.yaml"
    assert package_data.lock_file() == ROOT / "matrix.lock"
    assert package_data.schemas_folder() == ROOT / "docs"
    for path in (package_data.images_folder(), package_data.include_folder(), package_data.schemas_folder()):
        assert path.is_dir()


def test_an_installed_package_has_its_data_in_itself(tmp_path: Path) -> None:
    package = tmp_path / "site-packages/harness"
    package.mkdir(parents=True)
    assert package_data.data_folder(package) == tmp_path / "site-packages"
    (package / "data").mkdir()
    assert package_data.data_folder(package) == package / "data"


def test_commands_are_named_as_the_user_calls_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("lock") == "./run lock"
    monkeypatch.setattr(package_data, "is_checkout", lambda: False)
    assert command("lock") == "bpfmatrix lock"
