"""Kernels out of a signed apt repository: a real one, made here, read by the apt of this machine."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from apt_repository import MISSING, AptRepository, Key, Served, make_deb, newer, served
from source_worlds import MODULES, find_by_name, no_mirrors
from unit_samples import x86_image

from harness.config.matrix import AptKernel
from harness.errors import BpfmatrixError, ConfigError, FetchError, MirrorError, PackageGoneError
from harness.host.cache import Cache
from harness.supply.debian.apt import Patience
from harness.supply.kernels import cached
from harness.supply.kernels.apt import AptSource
from harness.supply.kernels.source import SourceContext

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not installed")

RELEASE, VERSION = "5.15.0-105-generic", "5.15.0-105.115"
IMPATIENT = Patience(seconds=1, retries=0, whole=20.0)
IMAGE = {f"boot/vmlinuz-{RELEASE}": x86_image(RELEASE)}
PARTS = {
    f"boot/config-{RELEASE}": b"CONFIG_A=y\n",
    f"lib/modules/{RELEASE}/kernel/virtio_net.ko": b"virtio_net",
    f"lib/modules/{RELEASE}/modules.builtin": b"",
}
EXTRA = {f"lib/modules/{RELEASE}/kernel/virtio_pci.ko": b"virtio_pci"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Key, Key]]:
    """The repository's key, and another one."""
    folder = tmp_path_factory.mktemp("keys")
    made = Key.make(folder, "ours"), Key.make(folder, "theirs")
    yield made
    for key in made:
        key.remove()


@pytest.fixture(scope="module")
def debs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A kernel in Ubuntu's split, and the packages that lead to it."""
    folder = tmp_path_factory.mktemp("debs")
    image, modules, extra = (f"linux-{part}-{RELEASE}" for part in ("image", "modules", "modules-extra"))
    made = {
        image: make_deb(folder, image, VERSION, IMAGE, "kmod", f"{modules}"),
        modules: make_deb(folder, modules, VERSION, PARTS),
        extra: make_deb(folder, extra, VERSION, EXTRA, modules, f"{image} | linux-image-unsigned-{RELEASE}"),
    }
    metas = {
        "linux-generic": ("linux-image-generic (= 5.15.0.105.102)", "linux-headers-generic"),
        "linux-image-generic": (image, extra, "linux-firmware"),
        "linux-image-virtual": (image,),
    }
    for name, depends in metas.items():
        made[name] = make_deb(folder, name, "5.15.0.105.102", {}, *depends)
    return made


class World:
    """A repository that is served, and a cache."""

    def __init__(self, folder: Path, keys: tuple[Key, Key], debs: dict[str, Path], stack: ExitStack) -> None:
        self.folder, self.keys, self.stack = folder, keys, stack
        self.cache = Cache(folder / "cache")
        self.repository = AptRepository(folder / "repository", keys[0])
        self.files = {name: self.repository.add(deb) for name, deb in debs.items()}
        self.repository.publish()

    def serve(self, **how: Any) -> Served:
        """Serve the repository at one more address."""
        return self.stack.enter_context(served(self.repository.root, **how))

    def kernel(self, *uris: str, **changes: Any) -> AptKernel:
        """Return an entry."""
        entry: dict[str, Any] = {
            "name": "ubuntu",
            "arch": "x86_64",
            "source": "apt",
            "uris": list(uris) or [self.serve().address],
            "suite": "jammy",
            "keyring": str(self.keys[0].keyring),
            "package": "linux-image-generic",
        }
        return AptKernel.model_validate({name: v for name, v in {**entry, **changes}.items() if v is not None})

    def source(self, named: Mapping[str, Sequence[str]] = MappingProxyType({})) -> AptSource:
        """Return the source, as a process of its own has it."""
        return AptSource(SourceContext(cache=self.cache, mirrors=no_mirrors, named=named), patience=IMPATIENT)


@pytest.fixture
def world(
    tmp_path: Path, keys: tuple[Key, Key], debs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setattr(cached, "find_modules", find_by_name)
    with ExitStack() as stack:
        yield World(tmp_path, keys, debs, stack)


# --- what there is ----------------------------------------------------------------------------------------------------

ALL = [f"linux-image-{RELEASE}", f"linux-modules-{RELEASE}", f"linux-modules-extra-{RELEASE}"]


@pytest.mark.parametrize(
    ("package", "packages"),
    [
        ("linux-image-generic", ALL),
        ("linux-generic", ALL),
        ("linux-image-virtual", ALL[:2]),
        ("linux-image-5.15*-generic", ALL),
        (f"linux-image-{RELEASE}", ALL),
    ],
)
def test_a_kernel_in_ubuntus_split_is_put_together(package: str, packages: list[str], world: World) -> None:
    kernel, source = world.kernel(package=package), world.source()
    pin = source.pin(kernel).pin
    assert sorted(each.name for each in pin.packages) == sorted(packages)
    assert (pin.version, pin.distribution, pin.missing) == (VERSION, "ubuntu", ())
    files = source.obtain(kernel, pin, modules=MODULES)
    assert files.release == RELEASE
    assert files.config is not None
    assert files.absent == (() if len(packages) == 3 else ("virtio_pci",))
    package_info = files.package
    assert (package_info.name, package_info.version, package_info.distribution) == (ALL[0], VERSION, "ubuntu")
    assert (package_info.source, package_info.suite, package_info.notice) == ("apt", "jammy", "")


def test_a_version_of_a_meta_package_is_that_of_its_kernel(world: World) -> None:
    pin = world.source().pin(world.kernel(version=VERSION)).pin
    assert (pin.version, pin.wanted_version) == (VERSION, VERSION)
    with pytest.raises(PackageGoneError, match=r"has no package linux-image-generic = 5\.15\.0-1"):
        world.source().pin(world.kernel(version="5.15.0-1"))


def test_what_is_pinned_comes_from_the_cache_when_nobody_answers(world: World) -> None:
    kernel = world.kernel()
    pin = world.source().pin(kernel).pin
    first = world.source().obtain(kernel, pin, modules=MODULES)
    silent = kernel.model_copy(update={"uris": ("http://127.0.0.1:9",)})
    assert world.source().answers(silent, pin), "where it is fetched from is no part of what is pinned"
    assert world.source().obtain(silent, pin, modules=MODULES) == first


@pytest.mark.parametrize(
    "change",
    [
        {"suite": "noble"},
        {"package": "linux-image-virtual"},
        {"version": VERSION},
        {"components": ["universe"]},
        {"arch": "arm64"},
        {"date": "20260131"},
        {"distribution": "debian"},
        {"keyring": None, "unsigned": True},
    ],
)
def test_a_pin_is_for_one_request(change: dict[str, Any], world: World) -> None:
    uri = world.serve().address
    pin = world.source().pin(world.kernel(uri)).pin
    assert world.source().answers(world.kernel(uri), pin)
    assert world.source().answers(world.kernel(uri, distribution="ubuntu"), pin)
    assert not world.source().answers(world.kernel(uri, **change), pin)


@pytest.mark.parametrize(("origin", "given", "found"), [("Acme", None, ""), ("Acme", "ubuntu", "ubuntu")])
def test_whose_kernels_they_are_the_entry_says_or_the_repository(
    origin: str, given: str | None, found: str, world: World
) -> None:
    world.repository.origin = origin
    world.repository.publish()
    pin = world.source().pin(world.kernel(distribution=given)).pin
    assert (pin.distribution, len(pin.packages)) == (found, 3)


def test_a_snapshot_of_a_day_may_have_expired(world: World) -> None:
    world.repository.valid_until = timedelta(days=-2)
    world.repository.publish()
    (world.folder / "archive").mkdir()
    (world.folder / "archive/20260131").symlink_to(world.repository.root)
    address = world.stack.enter_context(served(world.folder / "archive")).address
    pin = world.source().pin(world.kernel(f"{address}/{{date}}/", date="20260131")).pin
    assert (pin.version, pin.date) == (VERSION, "20260131")
    with pytest.raises(MirrorError):
        world.source().pin(world.kernel(f"{address}/{{date}}", date="20260201"))


def test_keys_may_be_text_and_their_path_may_have_spaces(world: World) -> None:
    path = world.keys[0].armoured(world.folder / "our own key.txt")
    assert world.source().pin(world.kernel(keyring=str(path))).pin.version == VERSION


# --- several addresses ------------------------------------------------------------------------------------------------


def test_the_next_address_is_tried_and_who_failed_is_named(world: World) -> None:
    first = world.stack.enter_context(served(world.folder))
    second = world.serve()
    kernel = world.kernel(first.address, second.address)
    found = world.source().pin(kernel)
    assert found.pin.version == VERSION
    assert f"{first.address} was passed over for {second.address}: it has no such suite" in found.notice
    files = world.source().obtain(kernel, found.pin, modules=MODULES)
    assert files.notice.startswith(f"ubuntu: {first.address} was passed over")
    assert files.package.notice == files.notice


def test_names_stand_for_the_mirrors_of_the_matrix_or_of_the_environment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = world.serve().address
    kernel = world.kernel("our-mirror")
    assert world.source({"our-mirror": [address]}).pin(kernel).pin.version == VERSION
    with pytest.raises(ConfigError, match='kernel ubuntu: "our-mirror" is no address'):
        world.source().check(kernel, modules=[], case_modules=[])
    monkeypatch.setenv("BPFMATRIX_OUR_MIRROR_MIRROR", address)
    world.source().check(kernel, modules=[], case_modules=[])
    assert world.source().pin(kernel).pin.version == VERSION


def test_a_file_that_one_address_has_damaged_comes_from_the_next(world: World) -> None:
    good = world.serve()
    pin = world.source().pin(world.kernel(good.address)).pin
    other = world.folder / "other"
    shutil.copytree(world.repository.root, other)
    (other / world.files[ALL[0]]).write_bytes(b"something else")
    bad = world.stack.enter_context(served(other))
    files = world.source().obtain(world.kernel(bad.address, good.address), pin, modules=MODULES)
    assert files.release == RELEASE
    assert bad.address in files.notice


# --- one clear message each -------------------------------------------------------------------------------------------


def wrong_key(world: World) -> AptKernel:
    return world.kernel(keyring=str(world.keys[1].keyring))


def not_signed(world: World) -> AptKernel:
    world.repository.key = None
    world.repository.publish()
    return world.kernel()


def changed_after_signing(world: World) -> AptKernel:
    path = world.repository.root / "dists/jammy/InRelease"
    path.write_text(path.read_text().replace("Origin: Ubuntu", "Origin: Mallory"))
    newer(path)
    return world.kernel()


def expired(world: World) -> AptKernel:
    world.repository.valid_until = timedelta(days=-2)
    world.repository.publish()
    return world.kernel()


def no_suite(world: World) -> AptKernel:
    return world.kernel(suite="noble")


def no_component(world: World) -> AptKernel:
    return world.kernel(components=["main", "universe"])


def no_architecture(world: World) -> AptKernel:
    return world.kernel(arch="arm64")


def index_of_another_hash(world: World) -> AptKernel:
    with (world.repository.root / "dists/jammy/main/binary-amd64/Packages").open("ab") as file:
        file.write(b"\n")
    return world.kernel()


def no_answer(world: World) -> AptKernel:
    return world.kernel(world.serve(silent=lambda path: path.endswith("Release")).address)


def nobody_there(world: World) -> AptKernel:
    with served(world.folder) as gone:
        pass
    return world.kernel(gone.address)


def no_package(world: World) -> AptKernel:
    return world.kernel(package="linux-image-6.8*")


INDEX: dict[Callable[[World], AptKernel], tuple[type[BpfmatrixError], str]] = {
    wrong_key: (MirrorError, "its signature is missing, or is not of a key in the keyring"),
    not_signed: (MirrorError, "its signature is missing, or is not of a key in the keyring"),
    changed_after_signing: (MirrorError, "its signature is missing, or is not of a key in the keyring"),
    expired: (MirrorError, "its Release file has expired"),
    no_suite: (MirrorError, "it has no such suite"),
    no_component: (PackageGoneError, "it has no universe, only main"),
    no_architecture: (PackageGoneError, "it has nothing for arm64, only for amd64"),
    index_of_another_hash: (MirrorError, "its files are not those that its own index names"),
    no_answer: (MirrorError, "it did not answer in time"),
    nobody_there: (MirrorError, "it cannot be reached"),
    no_package: (PackageGoneError, "jammy (amd64) has no package linux-image-6.8*; it has: linux-image-5.15"),
}


@pytest.mark.parametrize("how", INDEX, ids=lambda how: how.__name__)
def test_what_is_wrong_with_an_index_is_one_clear_message(how: Callable[[World], AptKernel], world: World) -> None:
    error, text = INDEX[how]
    kernel = how(world)
    with pytest.raises(BpfmatrixError) as caught:
        world.source().pin(kernel)
    assert type(caught.value) is error
    assert text in str(caught.value)
    assert how is no_package or f"{kernel.uris[0]}: {text}" in str(caught.value)
    assert how is no_package or str(caught.value).splitlines()[-1].endswith((".", "?")), "what can be done comes last"


@pytest.mark.parametrize("how", [wrong_key, not_signed, changed_after_signing, expired], ids=lambda how: how.__name__)
def test_an_index_of_before_is_no_answer(how: Callable[[World], AptKernel], world: World) -> None:
    """apt would keep to the one that it has, and end well."""
    uri = world.serve().address
    world.source().pin(world.kernel(uri))
    kernel = how(world).model_copy(update={"uris": (uri,)})
    with pytest.raises(MirrorError, match="could not be fetched"):
        world.source().pin(kernel)


def test_what_nobody_signs_is_taken_where_the_entry_says_so_and_every_report_does_too(world: World) -> None:
    not_signed(world)
    kernel = world.kernel(keyring=None, unsigned=True)
    found = world.source().pin(kernel)
    assert "nobody has checked who made linux-image-generic of jammy" in found.notice
    for _ in ("fetched", "from the cache"):
        files = world.source().obtain(kernel, found.pin, modules=MODULES)
        assert "unsigned: true" in files.package.notice


def test_a_keyring_that_is_not_there_is_found_before_any_guest(world: World) -> None:
    kernel = world.kernel("http://127.0.0.1:9", keyring="/no/such/keyring.gpg")
    with pytest.raises(ConfigError, match=r"kernel ubuntu: there is no keyring /no/such/keyring\.gpg"):
        world.source().check(kernel, modules=[], case_modules=[])


def gone(world: World, file: Path) -> None:
    file.unlink()


def cut(world: World, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def another(world: World, file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[200] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("how", "error"), [(gone, PackageGoneError), (cut, FetchError), (another, FetchError)], ids=lambda of: of.__name__
)
def test_a_package_that_is_not_what_is_pinned_is_one_clear_message_and_nothing_is_kept(
    how: Callable[[World, Path], None], error: type[BpfmatrixError], world: World
) -> None:
    kernel = world.kernel()
    pin = world.source().pin(kernel).pin
    how(world, world.repository.root / world.files[ALL[1]])
    with pytest.raises(error, match=f"{ALL[1]} {VERSION} could not be fetched") as caught:
        world.source().obtain(kernel, pin, modules=MODULES)
    assert type(caught.value) is error
    assert not list((world.cache.root / "kernels").glob("*/vmlinuz"))


def test_a_package_that_the_repository_itself_has_cut_short(world: World) -> None:
    """Its index names it as it is, so only unpacking shows it."""
    file = world.repository.root / world.files[ALL[1]]
    short = world.folder / file.name
    short.write_bytes(file.read_bytes()[:-60])
    kernel = world.kernel()
    pin = world.source().pin(kernel).pin
    file.write_bytes(short.read_bytes())
    sha256 = hashlib.sha256(short.read_bytes()).hexdigest()
    packages = tuple(replace(each, sha256=sha256) if each.name == ALL[1] else each for each in pin.packages)
    with pytest.raises(FetchError, match="cannot be unpacked"):
        world.source().obtain(kernel, replace(pin, packages=packages), modules=MODULES)


def test_a_kernel_of_another_architecture_is_not_booted(world: World) -> None:
    deb = make_deb(world.folder, f"linux-image-{RELEASE}", "9.9", {f"boot/vmlinuz-{RELEASE}": b"MZ\0\0" * 64})
    world.repository.add(deb)
    world.repository.publish()
    kernel = world.kernel(package=f"linux-image-{RELEASE}")
    with pytest.raises(FetchError, match="is not a kernel for x86_64"):
        world.source().obtain(kernel, world.source().pin(kernel).pin, modules=MODULES)


def test_a_build_whose_files_are_gone_is_passed_over(world: World) -> None:
    newer = "5.15.0-106-generic"
    deb = make_deb(world.folder, f"linux-image-{newer}", "5.15.0-106.116", {f"boot/vmlinuz-{newer}": x86_image(newer)})
    file = world.repository.add(deb)
    world.repository.publish()
    kernel = world.kernel(package="linux-image-5.15*")
    assert [build.version for build in world.source().builds(kernel)] == ["5.15.0-106.116", VERSION]
    (world.repository.root / file).unlink()
    found = world.source().pin(kernel)
    assert (found.pin.version, found.passed_over) == (VERSION, (f"5.15.0-106.116 (linux-image-{newer})",))
