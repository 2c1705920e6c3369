"""In which order kernels are run: those that took longest the last time first, so that none is alone at the end."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.config.matrix import Kernel
from harness.model.phases import Phase


def longest_first(kernels: Sequence[Kernel], seconds: Mapping[str, float]) -> list[Kernel]:
    """Return the kernels, longest first by `seconds` of each name; those without a time come before all."""
    return sorted(kernels, key=lambda kernel: -seconds.get(kernel.name, math.inf))


def last_seconds(results: Path) -> dict[str, float]:
    """Return how many seconds each kernel's guests took in the last run below `results`; {} where that is not known.

    Only the order depends on it, so a report that cannot be read is no trouble.
    """
    try:
        kernels = json.loads((results / "latest" / "report.json").read_text())["kernels"]
        times = {each["name"]: each["seconds"] for each in kernels if each["seconds"]}
        return {str(name): float(each[Phase.TOTAL]) - float(each.get(Phase.FETCH, 0.0)) for name, each in times.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
