"""Which packages a value of an axis stands for: of the lock, else as the suites had them once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from unit_samples import package_file

from harness.config.axes import ClangChoice, LibbpfChoice
from harness.errors import ConfigError, MirrorError, PackageGoneError
from harness.host.cache import Cache
from harness.supply import axis_packages
from harness.supply.axis_packages import AxisPackages, Request, clang_request, libbpf_request
from harness.supply.debian.apt import Stanza
from harness.supply.debian.mirrors import Mirrors
from harness.supply.debian.pin import ImagePin

OLD, NEW = (
    ("bullseye", ["libbpf0", "clang-11"]),
    ("sid", ["libbpf1", "clang-9", "clang-19", "clang-21", "clang-19-doc"]),
)


class World:
    """Suites with packages; one that is in neither has no index. `asked` are the suites that were asked."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.suites = dict([OLD, NEW])
        self.asked: list[str] = []
        monkeypatch.setattr(axis_packages, "debian_lines", lambda _, suites: suites)
        monkeypatch.setattr(axis_packages, "Apt", lambda **keys: Suite(self, keys["lines"][0]))
        monkeypatch.setattr(axis_packages, "resolve_packages", self.resolve)

    def resolve(self, apt: Suite, names: Sequence[str]) -> ImagePin:
        return ImagePin(
            suites=(apt.name,), names=tuple(names), packages=(package_file(names[0]), package_file("libllvm"))
        )

    def packages(self, *, locked_only: bool = False, **pins: ImagePin) -> AxisPackages:
        return AxisPackages(
            cache=Cache(self.folder / "cache"),
            mirrors=lambda: Mirrors({}, {}),
            pins={key.replace("_", " "): pin for key, pin in pins.items()},
            locked_only=locked_only,
        )


class Suite:
    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name

    def show(self, names: Iterable[str]) -> dict[str, tuple[Stanza, ...]]:
        self.world.asked.append(self.name)
        if self.name not in self.world.suites:
            raise MirrorError(f"the index of {self.name} could not be fetched")
        return {
            name: (Stanza(package=package_file(name), depends=()),)
            for name in names
            if name in self.world.suites[self.name]
        }

    def names(self, prefix: str) -> list[str]:
        return [name for name in self.world.suites[self.name] if name.startswith(prefix)]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def libbpf(suite: str) -> Request:
    found = libbpf_request(LibbpfChoice(suite=suite), "amd64")
    assert found is not None
    return found


def clang(version: str, suite: str | None = None) -> Request:
    found = clang_request(ClangChoice(version=version, suite=suite), "amd64")
    assert found is not None
    return found


def test_only_what_comes_from_a_suite_asks_for_packages(tmp_path: Path) -> None:
    assert libbpf_request(LibbpfChoice(), "amd64") is None
    assert libbpf_request(LibbpfChoice(path=tmp_path), "amd64") is None
    assert clang_request(ClangChoice(), "amd64") is None
    assert clang_request(ClangChoice(path=tmp_path), "amd64") is None
    assert libbpf("sid").key == "amd64: libbpf of sid"
    assert clang("19", "sid").key == "amd64: clang-19 of sid"
    assert clang("19").key == "amd64: clang-19 of bookworm or trixie or sid"


def test_the_libbpf_of_a_suite_is_one_package_whatever_its_soname(world: World) -> None:
    packages = world.packages()
    for suite, name in (("bullseye", "libbpf0"), ("sid", "libbpf1")):
        pin = packages.packages(libbpf(suite))
        assert (pin.suites, pin.names, [each.name for each in pin.packages]) == ((suite,), (name,), [name])


def test_a_compiler_comes_with_all_that_it_depends_on_from_the_first_suite_that_has_it(world: World) -> None:
    request = Request(
        what="clang-21", suites=("gone", "bullseye", "sid"), names=("clang-21",), architecture="amd64", closure=True
    )
    pin = world.packages().packages(request)
    assert (pin.suites, [each.name for each in pin.packages]) == (("sid",), ["clang-21", "libllvm"])
    assert world.asked == ["gone", "bullseye", "sid"]


def test_suites_are_asked_once_and_then_no_network_is_needed(world: World) -> None:
    found = world.packages().packages(libbpf("sid"))
    world.suites.clear()
    assert world.packages().packages(libbpf("sid")) == found
    assert world.asked == ["sid"]
    with pytest.raises(MirrorError, match="the index of sid"):
        world.packages().pin(libbpf("sid"))


def test_the_lock_comes_first_and_where_it_must_it_is_all_there_is(world: World) -> None:
    pin = ImagePin(suites=("sid",), names=("libbpf1",), packages=(package_file("locked"),))
    pins = {"amd64: libbpf of sid": pin}
    assert world.packages(locked_only=True, **pins).packages(libbpf("sid")) == pin
    with pytest.raises(PackageGoneError, match=r"no entry for clang-19 \(amd64: clang-19 of sid\)"):
        world.packages(locked_only=True, **pins).packages(clang("19", "sid"))
    assert world.asked == []


def test_a_release_that_no_suite_has_names_those_that_there_are(world: World) -> None:
    with pytest.raises(ConfigError, match=r"sid \(amd64\) has no clang-30; there is: clang-9, clang-19, clang-21$"):
        world.packages().packages(clang("30", "sid"))
    world.suites["sid"] = []
    with pytest.raises(ConfigError, match="has no libbpf1 or libbpf0; there is: none alike"):
        world.packages().packages(libbpf("sid"))
