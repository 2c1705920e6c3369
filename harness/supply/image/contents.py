"""images/contents.yaml: which packages the guest image is made of, and which of their files stay."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import ConfigError


class Contents(BaseModel):
    """The description of the image; patterns are below its root (see `matches`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suites: tuple[str, ...]
    packages: tuple[str, ...]
    keep: tuple[str, ...]
    drop: tuple[str, ...] = ()
    links: dict[str, str] = {}
    python: str
    required: tuple[str, ...] = ()

    def wants(self, path: str) -> bool:
        """Say whether the file `path` (relative to the root) stays in the image."""
        return matches(path, self.keep) and not matches(path, self.drop)


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Say whether `path` fits one of the patterns: `*` and `?` stop at a slash, `**` does not."""
    return any(_compiled(pattern).fullmatch(path) for pattern in patterns)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts: list[str] = []
    for token in re.findall(r"\*\*|\*|\?|\[[^\]]+\]|\[|[^*?\[]+", pattern):
        parts.append({"**": ".*", "*": "[^/]*", "?": "[^/]"}.get(token) or _literal(token))
    return re.compile("".join(parts))


def _literal(token: str) -> str:
    if token == "[" or not token.startswith("["):
        return re.escape(token)
    # Some characters in brackets may get a meaning of their own in later Pythons, which warn of them: [[ -- && ~~ ||.
    return re.sub(r"(?<!^)\[|--|&&|~~|\|\|", lambda found: "".join(f"\\{each}" for each in found[0]), token)


def read_contents(path: Path) -> Contents:
    """Return the description at `path`; raise ConfigError on a malformed one."""
    try:
        return Contents.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path}: not a usable description of the guest image: {error}") from error
