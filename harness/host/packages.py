"""Which command of the host's package manager installs what is missing. We name packages as Debian does."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.host import package_data


@dataclass(frozen=True, kw_only=True)
class Manager:
    """A package manager: its command, and the packages that have another name there than in Debian."""

    command: str
    names: Mapping[str, str] = field(default_factory=dict)


_APT = Manager(command="apt-get install")
_DNF = Manager(
    command="dnf install",
    names={
        "createrepo-c": "createrepo_c",
        "debian-archive-keyring": "debian-keyring",
        "gpgv": "gnupg2",
        "libbpf-dev": "libbpf-devel",
        "libelf-dev": "elfutils-libelf-devel",
        "libssl-dev": "openssl-devel",
        "pahole": "dwarves",
        "qemu-system-arm": "qemu-system-aarch64",
        "qemu-system-riscv64": "qemu-system-riscv",
        "rpm2cpio": "rpm",
    },
)
MANAGERS: Mapping[str, Manager] = {"debian": _APT, "ubuntu": _APT, "fedora": _DNF}
"""Package managers by the distribution, as `ID` or `ID_LIKE` of os-release names it."""


def install_command(packages: Iterable[str], *, release: Mapping[str, str] | None = None) -> str:
    """Return the command that installs packages, which are named as in Debian.

    `release` is what os-release says; without it, what the host's own says.
    """
    release = _os_release() if release is None else release
    names = list(dict.fromkeys(packages))
    for distribution in (release.get("ID", ""), *release.get("ID_LIKE", "").split()):
        if manager := MANAGERS.get(distribution):
            return f"{manager.command} {' '.join(manager.names.get(name, name) for name in names)}"
    return f"your package manager; Debian calls it {', '.join(names)}"


def or_run() -> str:
    """Return the other way to install something, for the end of a sentence, where there is one."""
    return " (or let ./run do it)" if package_data.is_checkout() else ""


def _os_release() -> Mapping[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}
