"""Kernels out of images of containers: by a tag or a digest, from a registry or a layout of this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from harness.config.matrix import OciKernel
from harness.errors import BpfmatrixError, ConfigError, FetchError, KernelFileError, PackageGoneError
from harness.host.cache import Cache, digest
from harness.host.called_as import command
from harness.host.scratch import scratch_folder
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.model.image_names import Reference, parse
from harness.model.results import PackageInfo
from harness.supply.kernels.cached import cached_kernel
from harness.supply.kernels.choosing import noticed
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.modules import find_modules
from harness.supply.kernels.needs import remarks
from harness.supply.kernels.source import Description, Resolution, SourceContext
from harness.supply.oci.finding import LARGEST_KERNEL, find_kernel, is_release
from harness.supply.oci.layers import Image, blobs_of_copy, blobs_of_layout, checked_bytes, extract, read_tree
from harness.supply.oci.manifest import Blob, check_platform, choose, digest_of, named_in_layout, read_manifest
from harness.supply.oci.skopeo import Registry, Skopeo
from harness.supply.oci.tree import Found

FORMAT = 1
"""Raise it when what is taken out of an image changes: old cache entries are made again."""
ENVIRONMENT = "BPFMATRIX_REGISTRY"
_KEPT_MODULES = ("kernel/", "updates/", "extra/", "modules.")
"""What of a folder of modules is kept: the modules, and the lists of them."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class OciPin:
    """One image: what an entry of the matrix stands for.

    `image` (without a host), `architecture` (as images call it) and `path_in_image` repeat the request, so that a
    changed matrix is noticed. `digest` is that of the manifest of this architecture; `size` the bytes of its layers.
    """

    image: str
    architecture: str
    digest: str
    size: int
    path_in_image: str = ""


class OciSource:
    """Kernels out of images of containers (`KernelSource`)."""

    pin_type: ClassVar[type[Any] | None] = OciPin

    def __init__(self, context: SourceContext, *, registry: Registry | None = None) -> None:
        self._cache: Cache = context.cache
        self._context = context
        self._registry: Registry = registry or Skopeo()

    def check(self, kernel: OciKernel, *, modules: Sequence[str], case_modules: Sequence[str]) -> None:  # noqa: ARG002
        """Find a registry that nobody names, and a layout that is not there."""
        if kernel.layout is None:
            self._at_registry(kernel)
        elif not (kernel.layout / "index.json").is_file():
            raise KernelFileError(
                f"kernel {kernel.name}: {kernel.layout} is no OCI layout: it has no index.json. "
                f"Make one: skopeo copy docker://IMAGE oci:{kernel.layout}:{parse(kernel.image).tag or 'TAG'}"
            )

    def builds(self, kernel: OciKernel) -> Sequence[OciPin]:
        """Return the one build that there is: what the tag stands for now."""
        return (self.pin(kernel).pin,)

    def pin(self, kernel: OciKernel) -> Resolution[OciPin]:
        """Ask for the digest of the image that the tag stands for now, of the kernel's architecture."""
        arch, reference = ARCHITECTURES[kernel.arch], self._at_registry(kernel)
        with self._cache.scratch("oci") as scratch:
            found, raw = self._chosen(kernel, reference, scratch=scratch)
        manifest = read_manifest(raw, image=reference.place)
        return Resolution(
            pin=OciPin(
                image=parse(kernel.image).place,
                architecture=arch.oci,
                digest=found.digest,
                size=manifest.size,
                path_in_image=kernel.path_in_image,
            )
        )

    def gone(self, kernel: OciKernel, pin: OciPin) -> Sequence[str]:  # noqa: ARG002  (KernelSource)
        """Return nothing: an image is there as long as its digest is."""
        return ()

    def answers(self, kernel: OciKernel, pin: OciPin) -> bool:
        """Say whether image, architecture and path are those of the pin, wherever the image comes from."""
        asked = (parse(kernel.image).place, ARCHITECTURES[kernel.arch].oci, kernel.path_in_image)
        return (pin.image, pin.architecture, pin.path_in_image) == asked

    def obtain(
        self, kernel: OciKernel, pin: OciPin, *, modules: Sequence[str], case_modules: Sequence[str] = ()
    ) -> KernelFiles:
        """Return the files of the pinned image: what is taken out of it is an entry of the cache, as with packages."""
        arch, notices = ARCHITECTURES[kernel.arch], list[str]()

        def package(carrier: str) -> PackageInfo:
            release, _, others = carrier.partition(" ")
            if others:
                notices.append(f"{kernel.name}: {pin.image} has several kernels; {release} was taken, not {others}")
            return PackageInfo(
                source="oci",
                name=pin.image,
                version=release,
                sha256=pin.digest.partition(":")[2],
                notice="; ".join(text for text in notices if text),
            )

        def unpacked(folder: Path) -> AbstractContextManager[tuple[Path, str]]:
            del folder  # the tree is an entry of its own
            return self._unpacked(kernel, pin, arch, note=notices.append)

        files = cached_kernel(
            self._cache,
            name=kernel.name,
            arch=arch,
            made_of=[pin.digest, pin.path_in_image],
            unpacked=unpacked,
            package=package,
            modules=modules,
            case_modules=case_modules,
        )
        about = remarks(files.config.read_text(errors="replace") if files.config is not None else None)
        notice = "; ".join(text for text in (files.notice, f"{kernel.name}: {about}" if about else "") if text)
        return noticed(files, notice) if notice else files

    def unpack(self, kernel: OciKernel, pin: OciPin, folder: Path) -> None:
        """Take the kernel and all its modules out of the image."""
        self._take_out(kernel, pin, ARCHITECTURES[kernel.arch], folder)

    def changelog(self, kernel: OciKernel, pin: OciPin) -> str:  # noqa: ARG002  (KernelSource)
        """Return nothing: an image of containers has no changelog of its kernel."""
        return ""

    def describe(self, kernel: OciKernel, pin: OciPin | None) -> Description:
        """Return the image and where it is looked for; of a pin the beginning of its digest."""
        reference = parse(kernel.image)
        where = str(kernel.layout) if kernel.layout else reference.host or self._registry_name() or "the registry"
        if pin is None:
            return Description(what=reference.place, where=where)
        version = pin.digest[: len("sha256:") + 12]
        moved = f"the tag {reference.tag} is another image now" if reference.tag else ""
        return Description(what=reference.place, where=where, version=version, size=pin.size, moved=moved)

    def _registry_name(self) -> str:
        return os.environ.get(ENVIRONMENT) or self._context.registry

    def _at_registry(self, kernel: OciKernel) -> Reference:
        """Return the image with the host that it is asked of; of a layout, what the entry says."""
        reference = parse(kernel.image)
        if reference.host or kernel.layout is not None:
            return reference
        registry = self._registry_name()
        if not registry:
            raise ConfigError(
                f"kernel {kernel.name}: no registry is known that has {reference.place}. Name one in matrix.yaml, "
                f"`mirrors: {{registry: HOST}}` or `image: HOST/{reference.place}`, or set {ENVIRONMENT}"
            )
        return reference.at(registry)

    def _chosen(self, kernel: OciKernel, reference: Reference, *, scratch: Path) -> tuple[Blob, bytes]:
        """Return the manifest that an image's name stands for now, of the kernel's architecture, and its bytes."""
        architecture = ARCHITECTURES[kernel.arch].oci
        if kernel.layout is not None:
            folder, name = kernel.layout, f"{kernel.layout}, {reference.place}"
            try:
                index = (folder / "index.json").read_bytes()
            except OSError as error:
                raise FetchError(f"{folder} is no OCI layout: index.json: {error.strerror}") from error
            top = named_in_layout(
                index, name=reference.name, tag=reference.tag, digest=reference.digest, folder=str(folder)
            )
            blob = blobs_of_layout(folder)
            raw = checked_bytes(name, blob(top.hex), top)
            found = choose(raw, architecture=architecture, image=name)
            return found, raw if found.digest == top.digest else checked_bytes(name, blob(found.hex), found)
        raw = self._registry.ask(reference, scratch=scratch)
        if reference.digest and digest_of(raw) != reference.digest:
            raise FetchError(f"{reference.host} answers with another image than {reference.place}: {digest_of(raw)}")
        found = choose(raw, architecture=architecture, image=reference.text)
        if found.digest != digest_of(raw):
            raw = self._registry.ask(reference, digest=found.digest, scratch=scratch)
            if found.digest != digest_of(raw):
                raise FetchError(
                    f"{reference.host} answers with another manifest than {found.digest}: {digest_of(raw)}"
                )
        return found, raw

    @contextlib.contextmanager
    def _unpacked(
        self, kernel: OciKernel, pin: OciPin, arch: Architecture, *, note: Callable[[str], None]
    ) -> Iterator[tuple[Path, str]]:
        """Hold the tree of the image's kernel, and its release with those of the others that the image has.

        It is an entry of the cache: an image is fetched once, whatever modules are taken out of it later.
        """

        def make(folder: Path) -> dict[str, Any]:
            root = folder / "root"
            root.mkdir()
            carrier = self._take_out(kernel, pin, arch, root)
            release = carrier.partition(" ")[0]
            if (root / "lib/modules" / release / "kernel").is_dir():
                find_modules(root, release=release, names=())  # writes the lists that are missing
            note(self._moved(kernel, pin, parent=folder.parent))
            return {"carrier": carrier}

        entry = self._cache.entry("oci", digest(FORMAT, pin.digest, pin.path_in_image, arch.name), make)
        yield entry.path / "root", entry.meta["carrier"]

    def _moved(self, kernel: OciKernel, pin: OciPin, *, parent: Path) -> str:
        """Return what the user must know of a tag that stands for another image by now, "" where it does not.

        It is asked when an image is fetched, since a registry is asked then anyway, and never with --locked.
        """
        if self._context.locked_only or not parse(kernel.image).tag:
            return ""
        try:
            with scratch_folder(parent=parent) as scratch:
                found, _ = self._chosen(kernel, self._at_registry(kernel), scratch=scratch)
        except BpfmatrixError:
            return ""  # the pinned image is there, and that is what was asked for
        if found.digest == pin.digest:
            return ""
        return (
            f"{kernel.name}: {pin.image} is another image by now ({found.digest[:19]}); the pinned {pin.digest[:19]} "
            f"was run. Run `{command('lock')}` to take the new one"
        )

    def _take_out(self, kernel: OciKernel, pin: OciPin, arch: Architecture, root: Path) -> str:
        """Write a kernel and all its modules to `root`; return its release, and the other kernels of the image."""
        with scratch_folder(parent=root.parent) as scratch:
            image = self._image(kernel, pin, scratch)
            tree = read_tree(image)

            def read(found: Found) -> bytes:
                if found.file.size > LARGEST_KERNEL:
                    raise FetchError(f"{image.name}: {found.path} has {found.file.size} bytes, more than any kernel")
                path = scratch / "kernel"
                extract(image, {path: found.file})
                return path.read_bytes()

            found = find_kernel(tree, arch=arch, image=image.name, path=kernel.path_in_image, read=read)
            if not is_release(found.release):
                raise FetchError(
                    f"{image.name}: {found.found.path} does not say which release it is"
                    + (f" ({found.release[:100]!r})" if found.release else "")
                )
            boot, folder = root / "boot", root / "lib/modules" / found.release
            wanted = {boot / f"vmlinuz-{found.release}": found.found.file}
            if found.config_file is not None:
                wanted[boot / f"config-{found.release}"] = found.config_file
            below = tree.files_below(found.modules) if found.modules else {}
            wanted |= {folder / name: file for name, file in below.items() if name.startswith(_KEPT_MODULES)}
            extract(image, wanted)
            if found.config is not None:
                (boot / f"config-{found.release}").write_text(found.config)
        return f"{found.release} {', '.join(found.others)}".strip()

    def _image(self, kernel: OciKernel, pin: OciPin, scratch: Path) -> Image:
        """Return the pinned image, in the user's layout or fetched now, once its manifest is what the pin says."""
        if kernel.layout is not None:
            name, blob = f"{kernel.layout}, {pin.image}", blobs_of_layout(kernel.layout)
            path = blob(pin.digest.partition(":")[2])
            if not path.is_file():
                raise PackageGoneError(f"{kernel.layout} has no image {pin.digest[:19]}... any more")
        else:
            reference = self._at_registry(kernel)
            name, folder = reference.text, scratch / "image"
            self._registry.copy(reference, pin.digest, folder, architecture=pin.architecture)
            blob, path = blobs_of_copy(folder), folder / "manifest.json"
        manifest = read_manifest(checked_bytes(name, path, Blob(pin.digest, 0)), image=name)
        config = checked_bytes(name, blob(manifest.config.hex), manifest.config)
        check_platform(config, architecture=pin.architecture, image=name)
        return Image(name=name, manifest=manifest, blob=blob)
