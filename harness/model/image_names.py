"""The name of an image: where it is, what it is called there, and which of those it is. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

DIGEST = r"sha256:[0-9a-f]{64}"
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
IMAGE_NAME = (
    rf"^(?:(?:{_PART}|\[[0-9a-f:]+\])(?::[0-9]+)?/)?{_PART}(?:/{_PART})*"
    rf"(?::[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}|@{DIGEST})$"
)
"""The names that `parse` takes: one with a tag or a digest, so that it says which image it is."""
_LOOPBACK = re.compile(r"^(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?::[0-9]+)?$")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The name of an image: `host`, "" where none is named; `name`; and `tag` or `digest`, the other is ""."""

    host: str
    name: str
    tag: str = ""
    digest: str = ""

    @property
    def place(self) -> str:
        """The name without its host, with its tag or digest: what a lock may have."""
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"

    def at(self, registry: str) -> Reference:
        """Return the same image at a registry, HOST or HOST/PREFIX, where the name has no host of its own."""
        if self.host:
            return self
        host, _, prefix = registry.rstrip("/").partition("/")
        name = f"{prefix}/{self.name}" if prefix else self.name
        return Reference(host=host, name=name, tag=self.tag, digest=self.digest)

    def with_digest(self, digest: str) -> str:
        """Return where exactly one image is: HOST/NAME@DIGEST."""
        return f"{self.host}/{self.name}@{digest}"

    @property
    def text(self) -> str:
        """The whole name."""
        return f"{self.host}/{self.place}" if self.host else self.place

    @property
    def plain(self) -> bool:
        """Whether the registry is one of this machine, which speaks HTTP as a rule."""
        return bool(_LOOPBACK.match(self.host))


def parse(text: str) -> Reference:
    """Return what a name says that IMAGE_NAME matches.

    What is before the first slash is a host where it has a dot or a port, or is `localhost`, as with docker; any other
    is a part of the name.
    """
    rest, _, digest = text.partition("@")
    first, slash, behind = rest.partition("/")
    is_host = bool(slash) and (first == "localhost" or "." in first or ":" in first)
    host, name = (first, behind) if is_host else ("", rest)
    if digest:
        return Reference(host=host, name=name, digest=digest)
    name, _, tag = name.rpartition(":")
    return Reference(host=host, name=name, tag=tag)
