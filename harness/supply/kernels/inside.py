"""What is inside a kernel's image: its release, and the configuration that it was built with. Pure."""

from __future__ import annotations

import contextlib
import zlib
from dataclasses import dataclass

from harness.model.architectures import Architecture
from harness.supply.kernels.files import looks_like_kernel, release_of_image
from harness.supply.kernels.payload import NoPayloadError, contents, is_wrapped, unpacked

_CONFIG = b"IKCFG_ST"
"""What stands before the configuration in a kernel with CONFIG_IKCONFIG, which is packed by gzip (kernel/configs.c)."""
LARGEST_CONFIG = 4 << 20
"""More bytes than any kernel's configuration has."""


@dataclass(frozen=True)
class Inside:
    """A kernel's release, "" where its image does not say it, and its configuration, None where that is not in it."""

    release: str
    config: str | None


def look_inside(image: bytes, arch: Architecture) -> Inside:
    """Return what an image says of itself, whatever it is packed in; an image that cannot be unpacked says little.

    Raises NoPayloadError where an image of which nothing but the packing can be seen holds no kernel of `arch`.
    """
    if is_wrapped(image) and not looks_like_kernel(unpacked(image)[: 128 * 1024], arch):
        raise NoPayloadError(f"what is packed in it is no kernel for {arch.name}")
    release, config = "", None
    for data in contents(image):
        release = release or release_of_image(data) or ""
        config = find_config_in(data) if config is None else config
        if release and config is not None:
            break
    return Inside(release, config)


def find_config_in(kernel: bytes) -> str | None:
    """Return the configuration inside an uncompressed kernel; None where it has none, or a damaged one."""
    start = kernel.find(_CONFIG)
    while start >= 0:
        with contextlib.suppress(zlib.error):
            unpacker = zlib.decompressobj(31)
            text = unpacker.decompress(kernel[start + len(_CONFIG) : start + LARGEST_CONFIG], LARGEST_CONFIG)
            if unpacker.eof:
                return text.decode(errors="replace")
        start = kernel.find(_CONFIG, start + 1)
    return None
