"""What every source of kernels promises (harness/supply/kernels/source.py), tried on each of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rpm_repositories import MISSING, WHY
from rpm_samples import RpmWorld
from source_worlds import MODULES, AptWorld, BuildWorld, DebianWorld, OciWorld, PathWorld, SourceWorld, find_by_name
from unit_samples import RELEASE, ROOT, X86, x86_image

from harness.config.matrix import Kernel
from harness.errors import EXIT_OK, BpfmatrixError
from harness.supply.kernels import cached, oci, path
from harness.supply.kernels.registry import PIN_TYPES, SOURCES
from harness.supply.lock import KernelPin, Lock, read_lock, write_lock

WORLDS: dict[str, Callable[[Path], SourceWorld]] = {
    "debian": DebianWorld,
    "apt": AptWorld,
    "path": PathWorld,
    "rpm": RpmWorld,
    "build": BuildWorld,
    "oci": OciWorld,
}


@pytest.fixture(params=SOURCES)
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourceWorld:
    for module in (cached, oci, path):
        monkeypatch.setattr(module, "find_modules", find_by_name)
    if request.param == "rpm" and MISSING:
        pytest.skip(WHY)
    return WORLDS[request.param](tmp_path)


def test_every_source_is_tried_here_and_can_be_named_in_a_matrix() -> None:
    names = {model.model_fields["source"].annotation.__args__[0] for model in Kernel.__args__}
    assert names == SOURCES.keys() == WORLDS.keys()


def test_nobody_else_asks_which_source_a_kernel_is_of() -> None:
    """Else a new source would have to be known in many places."""
    knowing = re.compile(r"""\b(?:Apt|Build|Debian|Oci|Path|Rpm)Kernel\b|\.source (?:==|!=|in) ["'({[]""")
    places = {
        path.relative_to(ROOT / "harness").as_posix()
        for path in (ROOT / "harness").rglob("*.py")
        if knowing.search(path.read_text())
    }
    own = {"config/matrix.py", *(f"supply/kernels/{name}.py" for name in SOURCES)}
    own |= {f"supply/build/{name}.py" for name in ("configuration", "places", "toolchain")}
    # virtme-ng needs Debian's generic kernel in place of its cloud kernel
    assert places - {"config/__init__.py"} == own | {"bench/project.py"}


def test_a_kernel_is_handed_over_whole(world: SourceWorld) -> None:
    kernel, source = world.kernel(), world.source()
    files = source.obtain(kernel, source.pin(kernel).pin, modules=MODULES)
    assert (files.name, files.arch, files.release) == (kernel.name, X86, RELEASE)
    assert files.image.read_bytes() == x86_image()
    assert files.config is not None
    assert files.config.read_text() == "CONFIG_A=y\n"
    assert [(file.name, file.read_bytes()) for file in files.modules] == [
        ("00-virtio_net.ko", b"virtio_net"),
        ("01-virtio_pci.ko", b"virtio_pci"),
    ]
    assert (files.absent, files.has_network, files.notice) == ((), True, "")
    assert files.package.source == kernel.source
    assert len(files.package.sha256) == 64
    assert files.entry is None or files.image.is_relative_to(files.entry)
    assert (files.entry is not None) == files.image.is_relative_to(world.cache.root)


def test_modules_that_the_kernel_does_not_have_are_named(world: SourceWorld) -> None:
    kernel, source = world.kernel(), world.source()
    pin = source.pin(kernel).pin
    files = source.obtain(kernel, pin, modules=[*MODULES, "veth"])
    assert (len(files.modules), files.absent) == (2, ("veth",))
    assert not source.obtain(kernel, pin, modules=["veth"]).modules


def test_a_check_of_what_is_right_is_silent(world: SourceWorld) -> None:
    world.source().check(world.kernel(), modules=MODULES, case_modules=())


def test_the_newest_build_is_pinned_and_answers_its_entry_alone(world: SourceWorld) -> None:
    kernel, source = world.kernel(), world.source()
    found = source.pin(kernel)
    assert found.pin == source.builds(kernel)[0]
    assert (found.passed_over, found.notice) == ((), "")
    assert source.answers(kernel, found.pin)
    if source.pin_type is None:
        assert found.pin is None
    else:
        assert type(found.pin) is source.pin_type
        assert not source.answers(world.another(), found.pin)


def test_the_lock_gives_a_pin_back_as_it_was(world: SourceWorld, tmp_path: Path) -> None:
    kernel, source = world.kernel(), world.source()
    if source.pin_type is None:
        assert kernel.source not in PIN_TYPES
        return
    lock = Lock(kernels={kernel.name: KernelPin(kernel.source, source.pin(kernel).pin)})
    write_lock(tmp_path / "matrix.lock", lock)
    assert read_lock(tmp_path / "matrix.lock") == lock
    assert "://" not in lock.render()


def test_a_description_needs_nothing_but_the_entry(world: SourceWorld) -> None:
    kernel, source = world.kernel(), world.source()
    pin = source.pin(kernel).pin
    world.lose()
    plain = source.describe(kernel, None)
    assert plain.what in plain.origin
    assert (plain.version, plain.size, plain.missing, plain.remark) == ("", None, (), "")
    assert plain.pinnable == (source.pin_type is not None)
    pinned = source.describe(kernel, pin)
    assert (pinned.what, pinned.where) == (plain.what, plain.where)
    assert bool(pinned.version) == plain.pinnable


def test_a_build_is_unpacked_as_a_distribution_has_it(world: SourceWorld, tmp_path: Path) -> None:
    kernel, source = world.kernel(), world.source()
    folder = tmp_path / "tree"
    folder.mkdir()
    source.unpack(kernel, source.pin(kernel).pin, folder)
    assert (folder / f"boot/vmlinuz-{RELEASE}").read_bytes() == x86_image()
    assert (folder / f"boot/config-{RELEASE}").read_text() == "CONFIG_A=y\n"
    assert [file.name for file in sorted((folder / "lib/modules" / RELEASE).rglob("*.ko"))] == [
        "virtio_net.ko",
        "virtio_pci.ko",
    ]
    assert {each.name for each in tmp_path.iterdir()} <= {"tree", "cache", "built"}, "nothing else is left"


def test_files_that_are_gone_are_an_error_that_names_the_kernel_and_leaves_nothing(world: SourceWorld) -> None:
    kernel, source = world.kernel(), world.source()
    pin = source.pin(kernel).pin
    world.lose()
    with pytest.raises(BpfmatrixError) as caught:
        source.obtain(kernel, pin, modules=MODULES)
    assert caught.value.exit_code != EXIT_OK
    assert world.left() == []


def test_a_source_says_which_files_of_a_build_are_gone(world: SourceWorld) -> None:
    kernel, source = world.kernel(), world.source()
    pin = source.pin(kernel).pin
    assert source.gone(kernel, pin) == ()
    files = source.describe(kernel, pin).files
    assert all(len(each) == 64 for each in files)
    world.lose()
    assert len(source.gone(kernel, pin)) in (0, len(files))
    assert bool(source.gone(kernel, pin)) == (kernel.source in ("debian", "apt", "rpm"))


def test_what_was_obtained_is_the_same_for_another_process(world: SourceWorld) -> None:
    kernel, source = world.kernel(), world.source()
    pin = source.pin(kernel).pin
    first = source.obtain(kernel, pin, modules=MODULES)
    kept = world.left()
    assert world.source().obtain(kernel, pin, modules=MODULES) == first
    assert world.left() == kept
