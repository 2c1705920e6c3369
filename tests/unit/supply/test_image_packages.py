"""Debian packages as an archive of the guest image; apt is played, and its output is real."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from unit_samples import package_file

from harness.errors import ConfigError, PackageGoneError
from harness.host.cache import Cache
from harness.supply.debian.apt import PackageFile, Stanza
from harness.supply.debian.pin import ImagePin
from harness.supply.image import cpio
from harness.supply.image.packages import Packages, merged, packed, pin_key, resolve_packages

SIMULATED = """\
Inst gcc-14-base (14.2.0-19 Debian:13.8/stable [amd64])
Conf gcc-14-base (14.2.0-19 Debian:13.8/stable [amd64])
Inst libc6 (2.41-12+deb13u5 Debian:13.8/stable [amd64]) []
Inst zlib1g (1:1.3.1-1+deb13u1 Debian:13.8/stable, Debian-Security:13/stable-security [amd64])
Inst bash (5.2.37-2+b10 Debian:13.8/stable [amd64])
"""
VERSIONS = {"gcc-14-base": "14.2.0-19", "libc6": "2.41-12+deb13u5", "zlib1g": "1:1.3.1-1+deb13u1"}
VERSIONS["bash"] = "5.2.37-2+b10"


class PlayedApt:
    """Says what apt-get said."""

    suites: tuple[str, ...] = ("trixie",)
    architecture = "amd64"

    def __init__(self, text: str = SIMULATED, errors: str = "", *, without: str = "") -> None:
        self.text, self.errors, self.asked = text, errors, 0
        self.without = without

    def simulate(self, names: Sequence[str]) -> tuple[str, str]:  # noqa: ARG002
        self.asked += 1
        return self.text, self.errors

    def show(self, names: Iterable[str]) -> Mapping[str, Sequence[Any]]:
        stanzas = {name: [package_file(name, "0.1"), package_file(name, VERSIONS[name])] for name in names}
        found = {name: tuple(Stanza(package=each, depends=()) for each in files) for name, files in stanzas.items()}
        return {name: each for name, each in found.items() if name != self.without}


def test_what_apt_would_install_is_taken_in_exactly_these_versions() -> None:
    pin = resolve_packages(PlayedApt(), ["bash"])
    assert (pin.suites, pin.names) == (("trixie",), ("bash",))
    assert {each.name: each.version for each in pin.packages} == VERSIONS


@pytest.mark.parametrize(
    ("apt", "words"),
    [
        (PlayedApt("", "E: Unable to locate package bsah\n"), r"bash cannot be had from trixie \(amd64\): Unable to"),
        (PlayedApt(without="libc6"), r"has no libc6 2\.41"),
    ],
)
def test_what_is_not_there_is_the_users_mistake(apt: PlayedApt, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        resolve_packages(apt, ["bash"])


def tree(root: Path) -> Path:
    for name in (
        *("lib/x/libold.so", "usr/bin/bash", "usr/bin/sh", "usr/share/doc/bash/README", "usr/lib/python3/json.py"),
        *("usr/lib/python3/own.py", "etc/bash.bashrc", "bin/kill"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "usr/bin/bash").chmod(0o755)
    (root / "usr/bin/rbash").symlink_to("bash")
    return root


def test_an_archive_has_what_commands_need_and_nothing_that_the_guest_has(tmp_path: Path) -> None:
    nodes = {node.path: node for node in packed(tree(tmp_path), without={"usr/lib/python3/json.pyc", "etc"})}
    files = {path for path, node in nodes.items() if not stat.S_ISDIR(node.mode)}
    assert files == {
        *("usr/lib/x/libold.so", "usr/bin/bash", "usr/bin/rbash", "usr/lib/python3/own.py", "etc/bash.bashrc"),
        "usr/bin/kill",
    }
    assert nodes["usr/bin/bash"].mode == stat.S_IFREG | 0o755
    assert nodes["usr/bin/rbash"].data == b"bash"
    assert not {"bin", "lib", "etc"} & nodes.keys(), "these are links of the guest, or its own"


@pytest.mark.parametrize(
    ("path", "place"),
    [("bin/x", "usr/bin/x"), ("lib64/a/b", "usr/lib64/a/b"), ("bin", "bin"), ("binary/x", "binary/x")],
)
def test_the_folders_of_old_are_those_in_usr(path: str, place: str) -> None:
    assert merged(path) == place


def packages(
    folder: Path, apt: PlayedApt, pins: Mapping[str, ImagePin] | None = None, *, notes: list[str] | None = None
) -> tuple[Packages, list[str]]:
    unpacked: list[str] = []

    def unpack(files: Sequence[PackageFile], scratch: Path) -> Path:
        if any(each.version == "gone" for each in files):
            raise PackageGoneError("the mirror no longer has it")
        unpacked.extend(each.name for each in files)
        (scratch / "packages").mkdir()
        return tree(scratch / "packages")

    def resolve(names: Sequence[str], architecture: str) -> ImagePin:
        assert architecture in ("amd64", "arm64")
        return resolve_packages(apt, names)

    notes = [] if notes is None else notes
    cache = Cache(folder / "cache")
    return Packages(cache=cache, resolve=resolve, pins=pins or {}, unpack=unpack, note=notes.append), unpacked


def base(folder: Path) -> Path:
    (folder / "base.cpio").write_bytes(cpio.archive([cpio.file("init", b"")]))
    return folder / "base.cpio"


def test_packages_are_unpacked_once_whatever_their_order(tmp_path: Path) -> None:
    apt = PlayedApt()
    made, unpacked = packages(tmp_path, apt)
    first = made.archive(["bash", "zlib1g"], debian_arch="amd64", base=base(tmp_path))
    assert first.versions == ("bash 5.2.37-2+b10", "zlib1g 1:1.3.1-1+deb13u1")
    assert "usr/bin/bash" in {node.path for node in cpio.read(first.path.read_bytes())}
    assert made.archive(["zlib1g", "bash", "bash"], debian_arch="amd64", base=base(tmp_path)) == first
    assert (apt.asked, len(unpacked)) == (1, 4)
    assert made.archive(["bash"], debian_arch="amd64", base=base(tmp_path)) != first


def test_what_the_lock_pins_nobody_is_asked_for(tmp_path: Path) -> None:
    apt = PlayedApt()
    pin = ImagePin(suites=("trixie",), names=("bash",), packages=(package_file("bash", "1"),))
    made, unpacked = packages(tmp_path, apt, {pin_key(["bash"], "amd64"): pin})
    assert made.archive(["bash"], debian_arch="amd64", base=base(tmp_path)).versions == ("bash 1",)
    assert (apt.asked, unpacked) == (0, ["bash"])
    made.archive(["bash"], debian_arch="arm64", base=base(tmp_path))
    assert apt.asked == 1


def test_what_the_mirror_has_lost_is_replaced_and_the_reports_say_so(tmp_path: Path) -> None:
    notes: list[str] = []
    pin = ImagePin(suites=("trixie",), names=("bash",), packages=(package_file("bash", "gone"),))
    made, _ = packages(tmp_path, PlayedApt(), {pin_key(["bash"], "amd64"): pin}, notes=notes)
    assert made.archive(["bash"], debian_arch="amd64", base=base(tmp_path)).versions == ("bash 5.2.37-2+b10",)
    assert [note.split(":")[0] for note in notes] == ["packages bash (amd64)"]
