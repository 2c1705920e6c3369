"""mutants.yaml beside the cases: which mutants nothing could distinguish from the case itself, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import Field

from harness.config.base import Line, Text
from harness.config.reading.explain import read
from harness.config.reading.models import Model
from harness.mutants.model import Fate, Judged

FILE = "mutants.yaml"


class Equivalent(Model):
    """Mutants that are equivalent to their case, by patterns as the shell has them, with the reason."""

    cases: Annotated[tuple[Line, ...], Field(min_length=1)] = Field(description="Patterns of ids of cases.")
    mutants: Annotated[tuple[Line, ...], Field(min_length=1)] = Field(description="Patterns of names of mutants.")
    kernels: Annotated[tuple[Line, ...], Field(min_length=1)] = Field(
        default=("*",), description="Patterns of names of kernels; without it all."
    )
    reason: Text = Field(description="Why nothing that a case can look at differs.")

    def covers(self, judged: Judged) -> bool:
        """Return whether this is said of a mutant on its kernel."""
        return all(
            any(fnmatchcase(name, pattern) for pattern in patterns)
            for name, patterns in (
                (judged.mutant.case.id, self.cases),
                (judged.mutant.name, self.mutants),
                (judged.kernel, self.kernels),
            )
        )


class MutantsFile(Model):
    """All that is said of mutants of the cases in one folder."""

    equivalent: tuple[Equivalent, ...] = Field(
        description="Mutants that nothing could distinguish from their case, and why."
    )


def load_equivalents(folder: Path) -> tuple[Equivalent, ...]:
    """Read mutants.yaml of a folder of cases, which may be missing; raise ConfigError with one line per error."""
    path = folder / FILE
    return read(path, MutantsFile)[0].equivalent if path.exists() else ()


def stale(entries: Sequence[Equivalent], judged: Iterable[Judged]) -> list[str]:
    """Return the patterns that mean no survivor any more, each with its case's.

    A pattern is not counted where none of its cases was tried on any of its kernels.
    """
    found: list[str] = []
    all_judged = list(judged)
    for entry in entries:
        for case in entry.cases:
            whole = entry.model_copy(update={"cases": (case,), "mutants": ("*",)})
            concerned = [each for each in all_judged if whole.covers(each)]
            for name in entry.mutants:
                one = entry.model_copy(update={"cases": (case,), "mutants": (name,)})
                if concerned and not any(one.covers(each) and each.fate == Fate.EQUIVALENT for each in concerned):
                    found.append(f"{case}: {name}")
    return found
