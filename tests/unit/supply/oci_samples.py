"""Images of containers for tests: layers put together member by member, and the layout that they lie in."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import zstandard

from harness.errors import PackageGoneError
from harness.model.image_names import Reference
from harness.supply.oci.layers import Image, blobs_of_layout
from harness.supply.oci.manifest import read_manifest

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "gzip in several members": lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "zstd in several frames": lambda data: (
        zstandard.ZstdCompressor().compress(data[:700]) + zstandard.ZstdCompressor().compress(data[700:])
    ),
}
"""What layers are packed by."""


def member(path: str, data: bytes | None = None, *, kind: bytes = tarfile.REGTYPE, to: str = "") -> Any:
    """A member of a layer: a file, or what `kind` says; a folder where there is no data and no kind."""
    info = tarfile.TarInfo(path)
    info.type = tarfile.DIRTYPE if data is None and kind == tarfile.REGTYPE else kind
    info.linkname, info.size = to, len(data or b"")
    return info, data or b""


def link(path: str, to: str, *, hard: bool = False) -> Any:
    """A link in a layer."""
    return member(path, kind=tarfile.LNKTYPE if hard else tarfile.SYMTYPE, to=to)


def layer(*members: Any) -> bytes:
    """A layer of these members, and of files by their names."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for each in members:
            for info, content in [member(*one) for one in each.items()] if isinstance(each, dict) else [each]:
                archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Layout:
    """An OCI layout in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[dict[str, Any]] = []
        (folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes, **more: Any) -> dict[str, Any]:
        """Add a piece; return what names it."""
        (self.folder / "blobs/sha256" / hashlib.sha256(data).hexdigest()).write_bytes(data)
        return {"digest": digest(data), "size": len(data), **more}

    def manifest(
        self, *layers: bytes, architecture: str = "amd64", pack: Callable[[bytes], bytes] = gzip.compress
    ) -> Any:
        """Add an image that has no name yet; return what names it."""
        config = json.dumps({"os": "linux", "architecture": architecture, "rootfs": {}}).encode()
        text = {"schemaVersion": 2, "config": self.blob(config), "layers": [self.blob(pack(each)) for each in layers]}
        return self.blob(json.dumps(text).encode())

    def name(self, tag: str, entry: dict[str, Any]) -> str:
        """Give an image a name, or move it to another; return its digest."""
        annotations = {"org.opencontainers.image.ref.name": tag}
        self.entries = [each for each in self.entries if each["annotations"] != annotations]
        self.entries.append({**entry, "annotations": annotations})
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.entries}))
        return str(entry["digest"])

    def index(self, **images: dict[str, Any]) -> Any:
        """Add an index of images by architecture; return what names it."""
        platforms = [{**entry, "platform": {"os": "linux", "architecture": arch}} for arch, entry in images.items()]
        return self.blob(json.dumps({"schemaVersion": 2, "manifests": platforms}).encode())

    def image(self, *layers: bytes, tag: str = "6.1", **more: Any) -> str:
        """Add an image with a name; return its digest."""
        return self.name(tag, self.manifest(*layers, **more))

    def read(self, name: str = "the image") -> Image:
        """The image that was named last, to be read."""
        blob = blobs_of_layout(self.folder)
        raw = blob(self.entries[-1]["digest"].removeprefix("sha256:")).read_bytes()
        return Image(name=name, manifest=read_manifest(raw, image=name), blob=blob)


class MemoryRegistry:
    """A registry whose images are those of a layout; `asked` and `copied` is what it was asked for."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.asked: list[str] = []
        self.copied: list[str] = []
        self.failure: Exception | None = None

    def ask(self, reference: Reference, *, scratch: Path, digest: str = "") -> bytes:
        assert scratch.is_dir()
        if self.failure is not None:
            raise self.failure
        wanted = digest or reference.digest
        self.asked.append(reference.with_digest(digest) if digest else reference.text)
        named = {
            each["annotations"]["org.opencontainers.image.ref.name"]: each["digest"] for each in self.layout.entries
        }
        wanted = wanted or named.get(reference.tag, "sha256:none")
        return self._blob(wanted, reference).read_bytes()

    def copy(self, reference: Reference, digest: str, folder: Path, *, architecture: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.copied.append(f"{reference.with_digest(digest)} for {architecture}")
        manifest = self._blob(digest, reference)
        folder.mkdir()
        shutil.copyfile(manifest, folder / "manifest.json")
        text = json.loads(manifest.read_bytes())
        pieces: Sequence[dict[str, Any]] = [text["config"], *text["layers"]]
        for each in pieces:
            name = each["digest"].removeprefix("sha256:")
            shutil.copyfile(self.layout.folder / "blobs/sha256" / name, folder / name)

    def _blob(self, digest: str, reference: Reference) -> Path:
        path = self.layout.folder / "blobs/sha256" / digest.removeprefix("sha256:")
        if not path.is_file():
            raise PackageGoneError(f"{reference.host} has no image {reference.place}")
        return path
