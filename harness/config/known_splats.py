"""`known-splats` of matrix.yaml: complaints of a kernel that do not count against a case, each for a time."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from harness.config.base import Arch, Line
from harness.config.reading.models import Expects, Model, problem, unexpected
from harness.config.rules import VersionRanges
from harness.config.steps import Regex
from harness.model.known_splats import KnownSplat

_DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_DATE_WORDS = 'a day as YYYY-MM-DD, such as "2027-01-31"'


def _narrow(value: str) -> str:
    if re.search(value, ""):
        raise problem("matches every splat, as it matches empty text; give text of the splat that is meant")
    return value


def _day(value: Any) -> date:
    try:
        if isinstance(value, str) and re.fullmatch(_DATE, value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise unexpected(_DATE_WORDS)


SplatPattern = Annotated[Regex, AfterValidator(_narrow)]
Day = Annotated[
    date,
    BeforeValidator(_day),
    Expects(_DATE_WORDS),
    WithJsonSchema({"type": "string", "format": "date", "pattern": _DATE}),
]
Link = Annotated[str, Field(pattern=r"^https?://[^\s/]\S*$"), Expects("a link that begins with http:// or https://")]


class KnownSplatEntry(Model):
    """One complaint of some kernels that does not make a case misbehave, until a day."""

    pattern: SplatPattern = Field(
        description="A regular expression that is searched in the splat: its first line and what follows, without "
        "levels and time stamps."
    )
    arch: Annotated[tuple[Arch, ...], Field(min_length=1)] | None = Field(
        default=None, description="Architectures that the entry covers; without it all of them."
    )
    version: VersionRanges | None = Field(
        default=None,
        description="Kernel versions that the entry covers, such as `>=6.8 | >=6.1.75,<6.2`; without it all. "
        "A release candidate counts as its release.",
    )
    reason: Line = Field(description="Why the splat says nothing about the cases.")
    link: Link = Field(description="Where the splat is reported or explained.")
    expires: Day = Field(description="The last day (UTC) on which the entry counts, as YYYY-MM-DD.")

    def value(self) -> KnownSplat:
        """Return the entry as the judge has it."""
        return KnownSplat(
            pattern=self.pattern,
            arch=self.arch,
            version=self.version,
            reason=self.reason,
            link=self.link,
            expires=self.expires,
        )
