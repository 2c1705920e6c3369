"""Kernels out of images: what is pinned, what is fetched, and what the user learns of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from oci_samples import layer
from source_worlds import BOOT, MODULES, TREE, OciWorld, find_by_name, no_mirrors
from unit_samples import RELEASE, x86_image

from harness.config.matrix import OciKernel
from harness.errors import ConfigError, FetchError, KernelFileError, MirrorError, PackageGoneError
from harness.supply.kernels import cached, oci
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.oci import OciPin, OciSource
from harness.supply.kernels.source import SourceContext


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OciWorld:
    for module in (cached, oci):
        monkeypatch.setattr(module, "find_modules", find_by_name)
    monkeypatch.delenv("BPFMATRIX_REGISTRY", raising=False)
    return OciWorld(tmp_path)


def source(world: OciWorld, **context: Any) -> OciSource:
    return OciSource(SourceContext(cache=world.cache, mirrors=no_mirrors, **context), registry=world.registry)


def obtain(world: OciWorld, kernel: OciKernel, pin: OciPin | None = None, **context: Any) -> KernelFiles:
    made = source(world, **context)
    return made.obtain(kernel, pin or made.pin(kernel).pin, modules=MODULES)


def test_a_tag_is_pinned_to_the_image_of_the_kernels_architecture(world: OciWorld) -> None:
    kernel, layout = world.kernel(), world.layout
    amd, arm = layout.manifest(layer(BOOT)), layout.manifest(layer(BOOT), architecture="arm64")
    layout.name("6.1", layout.index(amd64=amd, arm64=arm))
    pin = source(world).pin(kernel).pin
    assert (pin.image, pin.architecture, pin.digest) == ("kernels:6.1", "amd64", amd["digest"])
    other = source(world).pin(kernel.model_copy(update={"arch": "arm64"})).pin
    assert (other.architecture, other.digest) == ("arm64", arm["digest"])
    with pytest.raises(
        PackageGoneError, match=r"registry\.example/kernels:6\.1 has no image for linux/s390x; it has amd64"
    ):
        source(world).pin(kernel.model_copy(update={"arch": "s390x"}))
    assert obtain(world, kernel, pin).release == RELEASE
    assert world.registry.copied == [f"registry.example/kernels@{pin.digest} for amd64"]


def test_an_image_of_another_architecture_is_refused(world: OciWorld) -> None:
    kernel = world.kernel()
    world.layout.image(layer(BOOT), architecture="arm64")
    with pytest.raises(PackageGoneError, match="is for linux/arm64, not for linux/amd64"):
        obtain(world, kernel)


def test_what_was_fetched_is_fetched_no_more_whatever_modules_are_wanted(world: OciWorld) -> None:
    kernel, made = world.kernel(), source(world)
    pin = made.pin(kernel).pin
    made.obtain(kernel, pin, modules=MODULES)
    world.registry.failure = MirrorError("no network")
    assert made.obtain(kernel, pin, modules=MODULES[:1]).release == RELEASE
    files = made.obtain(kernel, pin, modules=MODULES)
    assert (files.package.name, files.package.version) == ("kernels:6.1", RELEASE)
    assert files.package.sha256 == pin.digest.removeprefix("sha256:")
    assert len(world.registry.copied) == 1


def test_a_tag_that_has_moved_is_a_notice_and_the_pinned_image_is_run(world: OciWorld) -> None:
    kernel = world.kernel()
    pin = source(world).pin(kernel).pin
    moved = world.layout.image(layer({**BOOT, "etc/new": b""}))
    files = obtain(world, kernel, pin)
    assert files.notice == files.package.notice
    assert f"kernels:6.1 is another image by now ({moved[:19]}); the pinned {pin.digest[:19]} was run" in files.notice
    assert obtain(world, kernel, pin).notice == "", "it is asked when something is fetched, and not again"
    assert source(world).pin(kernel).pin.digest == moved


def test_another_digest_than_before_means_that_the_tag_has_moved(world: OciWorld) -> None:
    kernel, made = world.kernel(), source(world)
    pin = made.pin(kernel).pin
    assert made.describe(kernel, pin).moved == "the tag 6.1 is another image now"
    named = kernel.model_copy(update={"image": f"registry.example/kernels@{pin.digest}"})
    assert made.describe(named, pin).moved == ""


def test_a_locked_run_never_asks_what_a_tag_is(world: OciWorld) -> None:
    kernel = world.kernel()
    pin = source(world).pin(kernel).pin
    world.layout.image(layer({**BOOT, "etc/new": b""}))
    world.registry.asked.clear()
    assert obtain(world, kernel, pin, locked_only=True).notice == ""
    assert world.registry.asked == []


def test_a_pinned_image_that_is_gone_is_said(world: OciWorld) -> None:
    kernel = world.kernel()
    pin = source(world).pin(kernel).pin
    world.lose()
    with pytest.raises(PackageGoneError, match="has no image"):
        obtain(world, kernel, pin)
    assert world.left() == []


def test_a_registry_that_answers_with_something_else_is_not_believed(world: OciWorld) -> None:
    kernel = world.kernel()
    pin = source(world).pin(kernel).pin
    manifest = world.layout.folder / "blobs/sha256" / pin.digest.removeprefix("sha256:")
    manifest.write_bytes(manifest.read_bytes() + b" ")
    with pytest.raises(FetchError, match=r"registry\.example/kernels:6\.1: a manifest or configuration is damaged"):
        obtain(world, kernel, pin)
    named = kernel.model_copy(update={"image": f"registry.example/kernels@{pin.digest}"})
    with pytest.raises(FetchError, match=r"registry\.example answers with another image than kernels@sha256:"):
        source(world).pin(named)
    assert world.left() == []


def test_a_name_without_a_host_is_asked_of_the_registry_of_the_matrix(
    world: OciWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = world.kernel().model_copy(update={"image": "kernels:6.1"})
    with pytest.raises(ConfigError, match=r"no registry is known that has kernels:6\.1.*BPFMATRIX_REGISTRY"):
        source(world).check(kernel, modules=(), case_modules=())
    made = source(world, registry="other.example/mirror")
    made.check(kernel, modules=(), case_modules=())
    pin = made.pin(kernel).pin
    assert (pin.image, world.registry.asked[-1]) == ("kernels:6.1", "other.example/mirror/kernels:6.1")
    assert made.answers(world.kernel(), pin), "where an image is from makes it no other"
    monkeypatch.setenv("BPFMATRIX_REGISTRY", "third.example")
    made.pin(kernel)
    assert world.registry.asked[-1] == "third.example/kernels:6.1"
    assert made.describe(kernel, None).where == "third.example"


def test_a_layout_is_read_without_a_registry(world: OciWorld) -> None:
    plain = world.kernel()
    kernel = plain.model_copy(update={"image": "kernels:6.1", "layout": world.layout.folder})
    made = source(world)
    made.check(kernel, modules=(), case_modules=())
    pin = made.pin(kernel).pin
    assert made.obtain(kernel, pin, modules=MODULES).release == RELEASE
    assert (world.registry.asked, world.registry.copied) == ([], [])
    assert made.describe(kernel, pin).where == str(world.layout.folder)
    with pytest.raises(PackageGoneError, match=r"has no image sha256:0000"):
        obtain(world, kernel, dataclasses.replace(pin, digest=f"sha256:{'0' * 64}"))
    (world.layout.folder / "index.json").unlink()
    with pytest.raises(KernelFileError, match=r"is no OCI layout: it has no index\.json\. Make one: skopeo copy"):
        made.check(kernel, modules=(), case_modules=())


def test_the_newest_of_several_kernels_is_taken_with_a_notice_and_another_by_its_path(world: OciWorld) -> None:
    kernel = world.kernel()
    old = bytes(x86_image()).replace(RELEASE.encode(), b"5.9.0-50-cloud-amd64")
    assert old != x86_image()
    world.layout.image(layer({**BOOT, "boot/vmlinuz-old": old}))
    files = obtain(world, kernel)
    assert files.notice == f"6.1: kernels:6.1 has several kernels; {RELEASE} was taken, not 5.9.0-50-cloud-amd64"
    other = kernel.model_copy(update={"path_in_image": "boot/vmlinuz-old"})
    assert not source(world).answers(other, source(world).pin(kernel).pin)
    assert (obtain(world, other).release, obtain(world, other).notice) == ("5.9.0-50-cloud-amd64", "")


def test_what_is_built_in_is_known_from_its_list_and_what_is_missing_is_said(world: OciWorld) -> None:
    kernel = world.kernel()
    listed = {f"lib/modules/{RELEASE}/modules.builtin": b"kernel/virtio_net.ko\nkernel/virtio_pci.ko\n"}
    world.layout.image(layer({"boot/vmlinuz": x86_image()}, listed))
    files = obtain(world, kernel)
    assert (files.modules, files.has_network, files.config) == ((), True, None)
    world.layout.image(layer({"boot/vmlinuz": x86_image(), "boot/config": b"# CONFIG_DEBUG_INFO_BTF is not set\n"}))
    files = obtain(world, kernel)
    assert not files.has_network
    assert "6.1: it has no BTF" in files.notice


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"etc/passwd": b""}, "has no kernel"),
        ({"boot/vmlinuz": b"\x7fELF\x02\x01" + bytes(300)}, "boot/vmlinuz does not say which release it is"),
        ({"boot/vmlinuz": b"\x7fELF\x02\x01Linux version 6.1/../../x (a) "}, "does not say which release it is .*6.1/"),
        ({"../vmlinuz": x86_image()}, "leads out of the image"),
    ],
)
def test_an_image_that_is_of_no_use_leaves_nothing(files: dict[str, bytes], complaint: str, world: OciWorld) -> None:
    kernel = world.kernel()
    world.layout.image(layer(files))
    with pytest.raises(FetchError, match=rf"^registry\.example/kernels:6\.1.*{complaint}"):
        obtain(world, kernel)
    assert world.left() == []


def test_all_modules_of_the_kernel_are_kept_and_nothing_else_of_the_image(world: OciWorld) -> None:
    kernel = world.kernel()
    world.layout.image(layer({**BOOT, **TREE, f"lib/modules/{RELEASE}/build/Makefile": b"", "etc/shadow": b"secret"}))
    obtain(world, kernel)
    kept = [name for name in world.left() if name.startswith("oci/")]
    assert [name.partition("/root/")[2] for name in kept if "/root/" in name] == sorted(
        [f"boot/config-{RELEASE}", f"boot/vmlinuz-{RELEASE}", *TREE]
    )
    manifest = json.loads(
        (world.cache.root / next(name for name in kept if name.endswith("manifest.json"))).read_text()
    )
    assert manifest
