"""Where a kernel, its configuration and its modules lie in an image: as distributions or others have them.

Pure, but for the images of kernels, which are read. The places are facts: a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from harness.errors import ConfigError, FetchError
from harness.model.architectures import Architecture
from harness.model.versions import kernel_version
from harness.supply.kernels.files import looks_like_kernel
from harness.supply.kernels.inside import look_inside
from harness.supply.kernels.payload import NoPayloadError
from harness.supply.oci.tree import File, Found, Tree

KERNELS = (
    "boot/vmlinuz*",
    "boot/bzImage*",
    "boot/Image*",
    "usr/lib/modules/*/vmlinuz",
    "lib/modules/*/vmlinuz",
    "data/kernels/*/boot/vmlinuz*",  # one folder for each version
    "data/kernels/*/boot/bzImage*",
    "data/kernels/*/boot/Image*",
)
"""Where images have kernels that can be booted."""
UNPACKED_KERNELS = (
    "boot/vmlinux*",
    "usr/lib/modules/*/vmlinux",
    "lib/modules/*/vmlinux",
    "data/kernels/*/boot/vmlinux*",
)
"""Where they have those for debuggers, which can be booted, too, but are large; where there is no other."""
MODULES = (
    "{near}/lib/modules/{release}",
    "{near}/usr/lib/modules/{release}",
    "lib/modules/{release}",
    "usr/lib/modules/{release}",
)
"""Where they have its modules; `near` is the folder above that of the kernel."""
CONFIGS = ("{beside}/config-{release}", "{modules}/config", "{beside}/config", "{beside}/.config")
MOST_KERNELS = 50
"""How many kernels of an image are looked at."""
LARGEST_KERNEL = 1 << 30
"""More bytes than any kernel has that can be booted."""
_RELEASE = re.compile(r"[0-9]+\.[0-9]+[A-Za-z0-9._+~-]*")


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A kernel of an image: where it is, its release, and what belongs to it.

    `config` is the text of its configuration where that is inside the kernel, `config_file` where it is a file.
    `modules` is the path of the folder of its modules, "" where it has none. `others` are the releases of the kernels
    that were left for this one.
    """

    found: Found
    release: str
    config: str | None = None
    config_file: File | None = None
    modules: str = ""
    others: tuple[str, ...] = ()


Read = Callable[[Found], bytes]
"""Returns the bytes of a file."""


def find_kernel(tree: Tree, *, arch: Architecture, image: str, path: str, read: Read) -> Kernel:
    """Return the kernel of an architecture that an image has: the one at `path`, or, where that is "", the newest.

    Raises FetchError where there is none, and says what was found in its place.
    """
    if path:
        named = tree.find(path)
        if named is None:
            raise FetchError(f"{image}: {path} is {tree.what(path)}; path-in-image must name a kernel")
        candidates = [named]
    else:
        candidates = _candidates(tree, KERNELS) or _candidates(tree, UNPACKED_KERNELS)
    if not candidates:
        raise FetchError(f"{image} has no kernel ({', '.join(_seen(tree))}). Name it with path-in-image")
    good: list[Kernel] = []
    wrong: list[str] = []
    for each in candidates[:MOST_KERNELS]:
        try:
            good.append(_kernel(tree, each, read(each), arch))
        except NoPayloadError as error:
            wrong.append(f"{each.path}: {error}")
    if not good:
        raise FetchError(f"{image} has no kernel for {arch.name}: {'; '.join(wrong)}")
    good.sort(key=lambda kernel: _order(kernel.release))
    newest = good[-1]
    others = tuple(kernel.release or kernel.found.path for kernel in good[:-1])
    return Kernel(**{**newest.__dict__, "others": others})


def is_release(text: str) -> bool:
    """Say whether a text can be a kernel's release, and so the name of a folder."""
    return bool(_RELEASE.fullmatch(text))


def _candidates(tree: Tree, patterns: Sequence[str]) -> list[Found]:
    found = {each.file: each for pattern in reversed(patterns) for each in tree.match(pattern)}
    return list(found.values())


def _kernel(tree: Tree, found: Found, data: bytes, arch: Architecture) -> Kernel:
    """Return what is known of a kernel; raise NoPayloadError where it is none of the architecture."""
    if not looks_like_kernel(data[: 128 * 1024], arch):
        raise NoPayloadError(f"it begins with {data[:8].hex(' ')}" if data else "it is empty")
    inside = look_inside(data, arch)
    release = inside.release or _release_in(found.path)
    beside, _, _ = found.path.rpartition("/")
    near = beside.rpartition("/")[0]
    places = [place.format(near=near, release=release).lstrip("/") for place in MODULES] if release else []
    modules = next((place for place in places if tree.folders(place)), "")
    configs = (place.format(beside=beside, release=release, modules=modules) for place in CONFIGS)
    config = next((file for place in configs if (file := tree.find(place)) is not None), None)
    return Kernel(
        found=found,
        release=release,
        config=None if config is not None else inside.config,
        config_file=config.file if config is not None else None,
        modules=modules,
    )


def _release_in(path: str) -> str:
    """Return the release that a kernel's path names: vmlinuz-RELEASE, or the folder of its modules; "" without one."""
    folder, _, name = path.rpartition("/")
    for text in (name.partition("-")[2], folder.rpartition("/")[2]):
        if is_release(text):
            return text
    return ""


def _order(release: str) -> tuple[Version, tuple[tuple[bool, int, str], ...]]:
    """Return what releases are ordered by: the version, then the numbers and the text that follow it."""
    try:
        version = kernel_version(release)
    except ConfigError:
        version = Version("0")
    parts = re.findall(r"[0-9]+|[^0-9]+", release)
    return version, tuple((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts)


def _seen(tree: Tree) -> list[str]:
    """Say what is where a kernel should be, a few of each place."""
    found = []
    for place in ("boot", "lib/modules", "data/kernels"):
        names = [path.rpartition("/")[2] for path in tree.folders(f"{place}/*")]
        names += [each.path.rpartition("/")[2] for each in tree.match(f"{place}/*")]
        found.append(f"in /{place} is {', '.join(names[:5]) or 'nothing'}")
    return found
