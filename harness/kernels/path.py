"""Kernels of the user's own: a file that was built here, with its modules if there are any."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.architectures import Architecture
from harness.cache import Cache, digest, sha256_file
from harness.config.matrix import PathKernel
from harness.errors import KernelFileError
from harness.kernels.files import KernelFiles, looks_like_kernel, release_of_image
from harness.kernels.modules import decompress, find_modules, plain_name
from harness.model import PackageInfo

FORMAT = 1


def obtain(kernel: PathKernel, *, arch: Architecture, cache: Cache, modules: Sequence[str]) -> KernelFiles:
    """Return the files of a `path` kernel; its modules are decompressed into the cache.

    Raises KernelFileError where the image is missing, is not a kernel of the architecture, or the modules are
    another kernel's.
    """
    image = kernel.image
    try:
        data = image.read_bytes()
    except OSError as error:
        raise KernelFileError(f"kernel {kernel.name}: {image} cannot be read: {error.strerror}") from error
    if not looks_like_kernel(data[: 128 * 1024], arch):
        raise KernelFileError(
            f"kernel {kernel.name}: {image} is not a kernel for {arch.name} ({_beginning(data)}). "
            f"Name a kernel image (bzImage, Image, vmlinuz or vmlinux) in matrix.yaml"
        )
    found = release_of_image(data)
    release = kernel.release or found or ""
    if kernel.modules is None:
        kept: tuple[Path, ...] = ()
        absent = tuple(modules)
    else:
        kept, absent = _modules(kernel, kernel.modules, release=release, cache=cache, modules=modules)
    config = image.parent / ".config"
    built_in = config.exists() and "\nCONFIG_VIRTIO_NET=y\n" in config.read_text(errors="replace")
    return KernelFiles(
        name=kernel.name,
        arch=arch,
        release=release,
        image=image,
        config=None,
        modules=kept,
        absent=absent,
        # Without modules we cannot know whether the network card's driver is built in; a serial port always is.
        has_network="virtio_net" not in absent or built_in,
        package=PackageInfo(source="path", name=image.name, version=release, sha256=sha256_file(image)),
    )


def _modules(
    kernel: PathKernel, folder: Path, *, release: str, cache: Cache, modules: Sequence[str]
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    if not (folder / "kernel").is_dir():
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
    key = digest(FORMAT, str(folder), stamps, sorted(modules))

    def make(entry: Path) -> dict[str, Any]:
        root = entry / "root"
        shutil.copytree(folder, root / "lib/modules" / name, ignore=shutil.ignore_patterns("build", "source"))
        order = find_modules(root, release=name, names=sorted(modules))
        (entry / "modules").mkdir()
        names = [f"{index:02d}-{plain_name(path)}" for index, path in enumerate(order.files)]
        for path, kept in zip(order.files, names, strict=True):
            (entry / "modules" / kept).write_bytes(decompress(path))
        shutil.rmtree(root)
        return {"modules": names, "absent": list(order.absent)}

    entry = cache.entry("path-modules", key, make)
    return tuple(entry.path / "modules" / kept for kept in entry.meta["modules"]), tuple(entry.meta["absent"])


def _beginning(data: bytes) -> str:
    return f"it begins with {data[:8].hex(' ')}" if data else "it is empty"
