"""Which packages a guest image is made of: those of the lock, and what there is where these do not do."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from unit_samples import ROOT, X86, package_file

from harness.errors import PackageGoneError
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
from harness.supply.debian.mirrors import Mirrors
from harness.supply.debian.pin import ImagePin
from harness.supply.image import guest_image
from harness.supply.image.contents import read_contents
from harness.supply.image.guest_image import GuestImage
from harness.supply.image.userland import UserlandParts

CONTENTS = read_contents(ROOT / "images/contents.yaml")


def pin(name: str, **changes: Any) -> ImagePin:
    keys: dict[str, Any] = {"suites": CONTENTS.suites, "names": CONTENTS.packages, "packages": (package_file(name),)}
    return ImagePin(**{**keys, **changes})


@dataclass
class Built:
    """An entry of the cache."""

    path: Path


class World:
    """Suites that have one package for each architecture, `current-ARCH`; what is `built`, `gone` and `noted`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.built: list[tuple[str, str]] = []
        self.gone: set[str] = set()
        self.notes: list[str] = []
        monkeypatch.setattr(guest_image, "Apt", lambda **keys: keys["architecture"])
        monkeypatch.setattr(guest_image, "debian_lines", lambda *_: [])
        monkeypatch.setattr(guest_image, "resolve_image", lambda apt, packages: pin(f"current-{apt}"))
        monkeypatch.setattr(guest_image, "build_userland", self.build)
        monkeypatch.setattr(guest_image, "host_architecture", lambda: X86)

    def build(self, *, cache: Cache, mirrors: Any, parts: UserlandParts) -> Built:
        (package,), (interpreter,) = parts.packages, parts.interpreter
        if self.gone & {package.name, interpreter.name}:
            raise PackageGoneError(f"{package.name} is gone")
        self.built.append((package.name, interpreter.name))
        return Built(self.folder / package.name)

    def image(self, *, locked_only: bool = False, **pins: ImagePin) -> GuestImage:
        return GuestImage(
            ROOT / "images",
            pins=pins,
            cache=Cache(self.folder / "cache"),
            mirrors=lambda: Mirrors({}, {}),
            locked_only=locked_only,
            note=self.notes.append,
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_the_packages_of_the_lock_are_taken(world: World) -> None:
    assert world.image(amd64=pin("locked")).base(X86) == world.folder / "locked/base.cpio"
    assert (world.built, world.notes) == ([("locked", "locked")], [])


def test_another_architecture_is_compiled_by_the_hosts_interpreter(world: World) -> None:
    world.image(amd64=pin("locked"), arm64=pin("locked-arm64")).base(ARCHITECTURES["arm64"])
    assert world.built == [("locked-arm64", "locked")]


@pytest.mark.parametrize("changes", [{"suites": ("bookworm",)}, {"names": ("busybox-static",)}])
def test_a_pin_for_other_contents_is_none(changes: dict[str, Any], world: World) -> None:
    assert world.image(amd64=pin("locked", **changes)).pinned("amd64") == pin("current-amd64")
    with pytest.raises(PackageGoneError, match=r"no entry for the guest image of amd64; run `.* lock`, or leave out"):
        world.image(locked_only=True, amd64=pin("locked", **changes)).base(X86)


def test_without_a_pin_the_suites_current_packages_are_taken(world: World) -> None:
    world.image().base(X86)
    assert world.built == [("current-amd64", "current-amd64")]


def test_a_pinned_package_that_is_gone_is_replaced_with_a_note(world: World) -> None:
    world.gone = {"locked"}
    assert world.image(amd64=pin("locked")).base(X86) == world.folder / "current-amd64/base.cpio"
    (note,) = world.notes
    assert note.startswith("guest image (x86_64): the mirror no longer has a pinned package")


def test_under_locked_a_package_that_is_gone_is_an_error(world: World) -> None:
    world.gone = {"locked"}
    with pytest.raises(PackageGoneError, match="locked is gone"):
        world.image(locked_only=True, amd64=pin("locked")).base(X86)
    assert (world.built, world.notes) == ([], [])


def test_where_the_current_packages_are_gone_too_that_is_an_error(world: World) -> None:
    world.gone = {"locked", "current-amd64"}
    with pytest.raises(PackageGoneError):
        world.image(amd64=pin("locked")).base(X86)
