"""Asking registries by skopeo: which image a name stands for now, and a copy of exactly one image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from harness.errors import BpfmatrixError, FetchError, MirrorError, PackageGoneError
from harness.host.process import find_tool, run
from harness.model.image_names import Reference

PROGRAM, PURPOSE = "skopeo", "fetch kernels out of images of containers"
RETRIES = 3
SECONDS_TO_ASK, SECONDS_TO_COPY = 120.0, 1800.0
"""How long a registry may take for an answer, and for an image."""
POLICIES = (Path("/etc/containers/policy.json"), Path("~/.config/containers/policy.json"))
"""Where the user says whose images are trusted; without such a file skopeo takes none, unless it is told to."""
_GONE = re.compile(
    r"manifest unknown|name unknown|repository name not known|blob unknown|status\b[^\n]{0,30}\b404\b", re.I
)
_REFUSED = re.compile(r"unauthorized|authentication required|denied|status\b[^\n]{0,30}\b40[13]\b", re.I)


class Registry(Protocol):
    """Who is asked for images: skopeo, but in tests."""

    def ask(self, reference: Reference, *, scratch: Path, digest: str = "") -> bytes:
        """Return the manifest or index that a name stands for now, or that of a digest; `scratch` is a folder.

        Raises PackageGoneError where the registry has none, MirrorError where it does not answer.
        """

    def copy(self, reference: Reference, digest: str, folder: Path, *, architecture: str) -> None:
        """Copy the image of a digest to a folder, as it is (`dir:`); raise what `ask` raises."""


class Skopeo:
    """Registries, by skopeo (`Registry`)."""

    def ask(self, reference: Reference, *, scratch: Path, digest: str = "") -> bytes:
        """Let skopeo inspect a name."""
        name = reference.with_digest(digest) if digest else reference.text
        output = scratch / "manifest"
        words = ["inspect", "--raw", *_retry(), *_tls("--tls-verify", reference), f"docker://{name}"]
        _run(words, reference, seconds=SECONDS_TO_ASK, output=output)
        return output.read_bytes()

    def copy(self, reference: Reference, digest: str, folder: Path, *, architecture: str) -> None:
        """Let skopeo copy an image."""
        words = ["--override-os", "linux", "--override-arch", architecture, "copy", *_retry()]
        words += _tls("--src-tls-verify", reference)
        words += [f"docker://{reference.with_digest(digest)}", f"dir:{folder}"]
        _run(words, reference, seconds=SECONDS_TO_COPY)


def failure(text: str, reference: Reference) -> BpfmatrixError:
    """Return the error that skopeo's complaint stands for."""
    lines = [line for line in text.splitlines() if line.strip()]
    said = re.sub(r'^time="[^"]*" level=\S+ msg=', "", lines[-1]) if lines else "skopeo does not say why"
    said = said.strip('"').replace("\\n", " ").replace('\\"', '"')[-400:]
    if _GONE.search(text):
        return PackageGoneError(f"{reference.host} has no image {reference.place}: {said}")
    if _REFUSED.search(text):
        return MirrorError(
            f"{reference.host} does not let everybody have {reference.place}: {said}. "
            f"Log in first: skopeo login {reference.host}"
        )
    if "no space left" in text:
        return FetchError(f"{reference.place} cannot be kept: {said}")
    return MirrorError(f"{reference.text} cannot be fetched: {said}")


def _retry() -> list[str]:
    return ["--retry-times", str(RETRIES)]


def _tls(option: str, reference: Reference) -> list[str]:
    return [f"{option}=false"] if reference.plain else []


def _run(words: Sequence[str], reference: Reference, *, seconds: float, output: Path | None = None) -> None:
    skopeo = find_tool(PROGRAM, package=PROGRAM, purpose=PURPOSE)
    trusts = any(path.expanduser().exists() for path in POLICIES)
    done = run([skopeo, *([] if trusts else ["--insecure-policy"]), *words], timeout=seconds, output=output)
    if done.returncode == -9:
        raise MirrorError(
            f"{reference.host} took more than {seconds:g} s for {reference.place}; it was asked no longer"
        )
    if done.returncode != 0:
        raise failure(done.stderr, reference)
