from __future__ import annotations

import pytest

from harness.host import package_data
from harness.host.packages import install_command, or_run

UBUNTU = {"ID": "ubuntu", "ID_LIKE": "debian"}
MINT = {"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}
FEDORA = {"ID": "fedora"}
ROCKY = {"ID": "rocky", "ID_LIKE": "rhel centos fedora"}


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ({"ID": "debian"}, "apt-get install clang libbpf-dev"),
        (UBUNTU, "apt-get install clang libbpf-dev"),
        (MINT, "apt-get install clang libbpf-dev"),
        (FEDORA, "dnf install clang libbpf-devel"),
        (ROCKY, "dnf install clang libbpf-devel"),
        ({"ID": "arch"}, "your package manager; Debian calls it clang, libbpf-dev"),
        ({}, "your package manager; Debian calls it clang, libbpf-dev"),
    ],
)
def test_the_command_is_that_of_the_hosts_package_manager(release: dict[str, str], command: str) -> None:
    assert install_command(["clang", "libbpf-dev", "clang"], release=release) == command


def test_a_host_without_os_release_has_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> dict[str, str]:
        raise OSError

    monkeypatch.setattr("platform.freedesktop_os_release", missing)
    assert install_command(["clang"]) == "your package manager; Debian calls it clang"


def test_run_is_named_only_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert or_run() == " (or let ./run do it)"
    monkeypatch.setattr(package_data, "is_checkout", lambda: False)
    assert or_run() == ""
