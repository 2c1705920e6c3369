"""What an image is made of: the index of its architectures, the manifest of one, its layers. Pure.

https://github.com/opencontainers/image-spec (image-index.md, manifest.md); Docker's version 2 has the same keys.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import FetchError, PackageGoneError
from harness.model.image_names import DIGEST

MOST_BYTES = 8 << 30
"""What the layers of an image may have, packed."""
MOST_LAYERS = 500
_DIGEST = re.compile(DIGEST)


@dataclass(frozen=True)
class Blob:
    """A piece of an image: its digest (sha256:...) and its size in bytes."""

    digest: str
    size: int

    @property
    def hex(self) -> str:
        """The sha256 of its bytes."""
        return self.digest.partition(":")[2]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What an image of one architecture is made of: its configuration, and its layers, the lowest first."""

    config: Blob
    layers: tuple[Blob, ...]

    @property
    def size(self) -> int:
        """The bytes of all its layers."""
        return sum(layer.size for layer in self.layers)


def digest_of(raw: bytes) -> str:
    """Return the digest of some bytes."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def choose(raw: bytes, *, architecture: str, image: str) -> Blob:
    """Return the manifest of one architecture (as images call it: amd64) that an index, or a manifest itself, names.

    `image` is what messages call it. Raises PackageGoneError where an index has none for the architecture, FetchError
    where the text is neither.
    """
    data = _mapping(raw, image)
    if "manifests" not in data:
        read_manifest(raw, image=image)
        return Blob(digest_of(raw), len(raw))
    entries = data["manifests"] if isinstance(data["manifests"], list) else []
    found, others = None, set()
    for entry in entries:
        platform = entry.get("platform") if isinstance(entry, Mapping) else None
        if not isinstance(platform, Mapping) or platform.get("os") != "linux":
            continue
        others.add(str(platform.get("architecture")))
        if platform.get("architecture") == architecture and found is None:
            found = _blob(entry, image)
    if found is None:
        has = f"; it has {', '.join(sorted(others))}" if others else ""
        raise PackageGoneError(f"{image} has no image for linux/{architecture}{has}")
    return found


def read_manifest(raw: bytes, *, image: str) -> Manifest:
    """Return what a manifest names; raise FetchError where it is none, or names more than is taken."""
    data = _mapping(raw, image)
    layers = data.get("layers")
    if not isinstance(layers, list) or "config" not in data:
        raise FetchError(f"{image}: its manifest names no layers; images of OCI and of Docker's version 2 are read")
    manifest = Manifest(config=_blob(data["config"], image), layers=tuple(_blob(each, image) for each in layers))
    if manifest.size > MOST_BYTES or len(layers) > MOST_LAYERS:
        raise FetchError(
            f"{image} has {len(layers)} layers of {manifest.size / 2**30:.1f} GiB; at most {MOST_LAYERS} of "
            f"{MOST_BYTES / 2**30:.0f} GiB are read"
        )
    return manifest


def check_platform(raw: bytes, *, architecture: str, image: str) -> None:
    """Raise PackageGoneError where an image's configuration says that it is for another architecture."""
    data = _mapping(raw, image)
    found = data.get("os"), data.get("architecture")
    if found != ("linux", architecture):
        raise PackageGoneError(f"{image} is for {found[0]}/{found[1]}, not for linux/{architecture}")


def named_in_layout(raw: bytes, *, name: str, tag: str, digest: str, folder: str) -> Blob:
    """Return the image that the index.json of a layout has under a name.

    Its names are of the annotation org.opencontainers.image.ref.name: `name:tag`, or the tag alone. An image of a
    digest is named by that. Raises PackageGoneError where there is none, FetchError where the file is no index.
    """
    data = _mapping(raw, folder)
    entries = [each for each in data.get("manifests") or () if isinstance(each, Mapping)]
    if digest:
        wanted, keys = digest, {str(each.get("digest")): each for each in entries}
        # The image may be one of those that an index names, which the layout's own does not.
        return _blob(keys[digest], folder) if digest in keys else Blob(digest, 0)
    keys = {_name(each): each for each in reversed(entries)}
    for wanted in (f"{name}:{tag}", tag):
        if wanted in keys:
            return _blob(keys[wanted], folder)
    raise PackageGoneError(f"{folder} has no image {name}:{tag}; it has {', '.join(sorted(keys)) or 'none'}")


def _name(entry: Mapping[str, Any]) -> str:
    annotations = entry.get("annotations")
    return str(annotations.get("org.opencontainers.image.ref.name")) if isinstance(annotations, Mapping) else ""


def _mapping(raw: bytes, image: str) -> Mapping[str, Any]:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise FetchError(f"{image}: its manifest cannot be read: {error}") from error
    if not isinstance(data, Mapping):
        raise FetchError(f"{image}: its manifest is no JSON object")
    return data


def _blob(entry: Any, image: str) -> Blob:
    digest, size = (entry.get("digest"), entry.get("size")) if isinstance(entry, Mapping) else (None, None)
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest) or not isinstance(size, int) or size < 0:
        raise FetchError(f"{image}: its manifest names a piece without a sha256 and a size: {entry!r:.200}")
    return Blob(digest, size)
