"""Kernels of the user's own: a file that was built here, with its modules if there are any."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from harness.config.matrix import PathKernel
from harness.errors import KernelFileError
from harness.host.cache import Cache, digest
from harness.model.architectures import ARCHITECTURES
from harness.model.results import PackageInfo
from harness.supply.kernels.choosing import checked
from harness.supply.kernels.files import KernelFiles, looks_like_kernel, release_of_image
from harness.supply.kernels.inside import look_inside
from harness.supply.kernels.modules import (
    CaseModule,
    find_for_cases,
    find_modules,
    keep_for_cases,
    keep_in_order,
    kept_for_cases,
    listed_as_built_in,
)
from harness.supply.kernels.needs import can_have_network, remarks
from harness.supply.kernels.payload import NoPayloadError, is_wrapped
from harness.supply.kernels.source import Description, Resolution, SourceContext

FORMAT, INSIDE_FORMAT = 2, 1


class PathSource:
    """Kernels that are files of this machine (`KernelSource`). There is nothing to pin: the file is what it is now."""

    pin_type: ClassVar[type[Any] | None] = None

    def __init__(self, context: SourceContext) -> None:
        self._cache = context.cache

    def check(self, kernel: PathKernel, *, modules: Sequence[str], case_modules: Sequence[str]) -> None:
        """Look at all that the entry names, by obtaining it, and whether a guest can be made of it."""
        checked(self.obtain(kernel, None, modules=modules, case_modules=case_modules))

    def builds(self, kernel: PathKernel) -> Sequence[None]:  # noqa: ARG002  (KernelSource)
        """Return the one build there is: the file as it is."""
        return (None,)

    def pin(self, kernel: PathKernel) -> Resolution[None]:  # noqa: ARG002
        """Return the file as it is."""
        return Resolution(pin=None)

    def gone(self, kernel: PathKernel, pin: None) -> Sequence[str]:  # noqa: ARG002
        """Return nothing: the file is what it is now."""
        return ()

    def answers(self, kernel: PathKernel, pin: None) -> bool:  # noqa: ARG002
        """Say yes: there is but one build."""
        return True

    def obtain(
        self,
        kernel: PathKernel,
        pin: None,  # noqa: ARG002
        *,
        modules: Sequence[str],
        case_modules: Sequence[str] = (),
    ) -> KernelFiles:
        """Return the user's files where they are; modules are decompressed into the cache.

        Raises KernelFileError where the image is missing, is not a kernel of the architecture, or the modules are
        another kernel's.
        """
        arch = ARCHITECTURES[kernel.arch]
        image = kernel.image
        data, release, config = self._seen(kernel)
        text = config.read_text(errors="replace") if config else None
        listed = built_in_beside(image, modules=kernel.modules)
        if kernel.modules is None:
            kept: tuple[Path, ...] = ()
            absent = tuple(modules)
            for_cases: Mapping[str, CaseModule] = find_for_cases(
                image.parent, release="", names=case_modules, config=text, listed=listed
            )
        else:
            kept, absent, for_cases = _modules(
                kernel,
                kernel.modules,
                release=release,
                cache=self._cache,
                modules=modules,
                case_modules=case_modules,
                config=text,
            )
        return KernelFiles(
            name=kernel.name,
            arch=arch,
            release=release,
            image=image,
            config=config,
            modules=kept,
            absent=absent,
            # Without modules and all lists we cannot know whether the driver is built in; a serial port always is.
            has_network=can_have_network(absent, config=text, listed=listed),
            package=PackageInfo(
                source="path", name=image.name, version=release, sha256=hashlib.sha256(data).hexdigest()
            ),
            case_modules=for_cases,
            notice=f"{kernel.name}: {about}" if (about := remarks(text)) else "",
        )

    def _seen(self, kernel: PathKernel) -> tuple[bytes, str, Path | None]:
        """Return the bytes of the image, its release ("" where nobody says it), and its configuration if that is there.

        Only where one of these does not lie open is the image unpacked, and what is found in it kept.
        """
        data = _image(kernel)
        release = kernel.release or release_of_image(data) or ""
        config = find_config(kernel.image, release=release, modules=kernel.modules)
        if config is not None and release and not is_wrapped(data):
            return data, release, config

        def make(folder: Path) -> dict[str, Any]:
            found = look_inside(data, ARCHITECTURES[kernel.arch])
            if found.config is not None:
                (folder / "config").write_text(found.config)
            return {"release": found.release}

        key = digest(INSIDE_FORMAT, hashlib.sha256(data).hexdigest(), kernel.arch)
        try:
            entry = self._cache.entry("path-inside", key, make)
        except NoPayloadError as error:
            raise KernelFileError(f"kernel {kernel.name}: {kernel.image} cannot be booted: {error}") from error
        release = release or entry.meta["release"]
        config = find_config(kernel.image, release=release, modules=kernel.modules) or entry.path / "config"
        return data, release, config if config.is_file() else None

    def unpack(self, kernel: PathKernel, pin: None, folder: Path) -> None:  # noqa: ARG002
        """Copy image, configuration and modules to where a distribution has them."""
        data, release, config = self._seen(kernel)
        (folder / "boot").mkdir()
        (folder / f"boot/vmlinuz-{release}").write_bytes(data)
        if config is not None:
            shutil.copyfile(config, folder / f"boot/config-{release}")
        if kernel.modules is not None:
            _copy_modules(kernel.modules, folder / "lib/modules" / (release or kernel.modules.name))

    def changelog(self, kernel: PathKernel, pin: None) -> str:  # noqa: ARG002  (KernelSource)
        """Return nothing: a file of the user's own has none."""
        return ""

    def describe(self, kernel: PathKernel, pin: None) -> Description:  # noqa: ARG002
        """Return the file's path."""
        return Description(what=str(kernel.image), pinnable=False)


def _image(kernel: PathKernel) -> bytes:
    """Return the bytes of the image; raise KernelFileError."""
    arch, image = ARCHITECTURES[kernel.arch], kernel.image
    try:
        data = image.read_bytes()
    except OSError as error:
        raise KernelFileError(f"kernel {kernel.name}: {image} cannot be read: {error.strerror}") from error
    if not looks_like_kernel(data[: 128 * 1024], arch):
        raise KernelFileError(
            f"kernel {kernel.name}: {image} is not a kernel for {arch.name} ({_beginning(data)}). "
            f"Name a kernel image (bzImage, Image, vmlinuz or vmlinux) in matrix.yaml"
        )
    return data


def find_config(image: Path, *, release: str, modules: Path | None) -> Path | None:
    """Return the configuration that a kernel of the user's own was built with, or None where it is not found.

    It lies beside the image, in the folder of the modules, or at the root of the sources in which the image was built.
    """
    names = [f"config-{release}", "config", ".config"] if release else ["config", ".config"]
    places = [image.parent / name for name in names]
    places += [modules / "config"] if modules is not None else []
    places += [folder / ".config" for folder in image.parents if (folder / "Kconfig").is_file()]
    return next((path for path in places if path.is_file()), None)


def built_in_beside(image: Path, *, modules: Path | None) -> frozenset[str]:
    """Return the modules that are built into a kernel of the user's own, as a modules.builtin lists them.

    It lies in the folder of the modules, beside the image, or at the root of the sources in which the image was built.
    """
    places = [] if modules is None else [modules]
    places += [image.parent, *(folder for folder in image.parents if (folder / "Kconfig").is_file())]
    return next((found for place in places if (found := listed_as_built_in(place))), frozenset())


def _modules(
    kernel: PathKernel,
    folder: Path,
    *,
    release: str,
    cache: Cache,
    modules: Sequence[str],
    case_modules: Sequence[str],
    config: str | None,
) -> tuple[tuple[Path, ...], tuple[str, ...], Mapping[str, CaseModule]]:
    if not (folder / "kernel").is_dir() and not (folder / "modules.builtin").is_file():
        raise KernelFileError(
            f"kernel {kernel.name}: {folder} holds no modules; name the folder lib/modules/RELEASE that "
            f"`make modules_install` fills"
        )
    if release and folder.name != release and kernel.release is None:
        raise KernelFileError(
            f"kernel {kernel.name}: the image is {release}, but the modules in {folder} are for {folder.name}"
        )
    name = release or folder.name
    stamps = sorted((str(path.relative_to(folder)), path.stat().st_mtime_ns) for path in folder.rglob("*.ko*"))
    key = digest(FORMAT, str(folder), stamps, sorted(modules), sorted(case_modules), config or "")

    def make(entry: Path) -> dict[str, Any]:
        root = entry / "root"
        _copy_modules(folder, root / "lib/modules" / name)
        order = find_modules(root, release=name, names=sorted(modules))
        names = keep_in_order(order.files, entry / "modules")
        found = find_for_cases(root, release=name, names=case_modules, config=config)
        notes = keep_for_cases(found, entry / "case-modules")
        shutil.rmtree(root)
        return {"modules": names, "absent": list(order.absent), "case-modules": notes}

    entry = cache.entry("path-modules", key, make)
    for_cases = kept_for_cases(entry.meta["case-modules"], entry.path / "case-modules")
    kept = tuple(entry.path / "modules" / kept for kept in entry.meta["modules"])
    return kept, tuple(entry.meta["absent"]), for_cases


def _copy_modules(folder: Path, target: Path) -> None:
    """Copy a folder of modules without its links to the sources, which may be anywhere."""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("build", "source"))


def _beginning(data: bytes) -> str:
    return f"it begins with {data[:8].hex(' ')}" if data else "it is empty"
