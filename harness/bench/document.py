"""bench.json: ratios of what was measured, and beside them medians, spreads and the raw samples. Pure.

Within schema 1 keys may be added; none is deleted or changes its meaning. All times are in seconds, all sizes in bytes,
but for `memory`, which is in MiB. What was not measured is null, and `notes` says why.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.bench.samples import PHASES, CaseSamples, MatrixSamples, Measurements, RunSample, VirtmeSamples
from harness.bench.statistics import Spread, line, ratios, spread
from harness.errors import ConfigError
from harness.host.called_as import command
from harness.model.results import Start

SCHEMA = 1
RATIOS = (
    "cold_over_floor",
    "warm_over_floor",
    "process_cold_over_floor",
    "process_warm_over_floor",
    "virtme_ng_over_cold",
    "virtme_ng_over_warm",
    "jobs2_over_ideal",
)
"""The keys of `ratios`, always all of them."""
SHIPPED = ("cold_over_floor_shipped", "warm_over_floor_shipped")
"""Only in `ratio_spreads`: against a floor that has none of our settings."""


def build(found: Measurements) -> dict[str, Any]:
    """Return the document for some measurements."""
    spreads = _ratios(found)
    return {
        "schema": SCHEMA,
        "ratios": {name: None if spreads[name] is None else spreads[name].median for name in RATIOS},
        "ratio_spreads": {name: _spread(spreads[name]) for name in (*RATIOS, *SHIPPED)},
        "notes": dict(found.notes),
        "problems": _each_once([found.other_problems, *(sample.problems for sample in found.samples())]),
        "remarks": _each_once(sample.notes for sample in found.samples()),
        **asdict(found.facts),
        "floor": _spread(spread(found.floor)),
        "floor_shipped": _spread(spread(found.floor_shipped)),
        "cold": _runs(found.cold),
        "warm": _runs(found.warm),
        "virtme_ng": None if found.virtme is None else _virtme(found.virtme),
        "matrix": None if found.matrix is None else _matrix(found.matrix),
        "added_case": _added(found.added[0]) if found.added else None,
        "added_cases": [_added(case) for case in found.added],
        "sizes": asdict(found.sizes) | {"kernels": [asdict(kernel) for kernel in found.sizes.kernels]},
    }


def render(document: Mapping[str, Any]) -> str:
    """Return the text of bench.json: ASCII, the same for the same document."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def parse(text: str, *, name: str = "bench.json") -> dict[str, Any]:
    """Return the document in `text`; raise ConfigError where it is none of this schema."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{name}: this is not JSON; run `{command('bench')}` again") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA or "ratios" not in document:
        raise ConfigError(f"{name}: not a bench.json of schema {SCHEMA}; run `{command('bench')}` again")
    return document


def _ratios(found: Measurements) -> dict[str, Any]:
    cold, warm = [sample.run for sample in found.cold], [sample.run for sample in found.warm]
    spreads: dict[str, Spread | None] = dict.fromkeys((*RATIOS, *SHIPPED))
    spreads["cold_over_floor"] = ratios(cold, found.floor)
    spreads["warm_over_floor"] = ratios(warm, found.floor)
    spreads["cold_over_floor_shipped"] = ratios(cold, found.floor_shipped)
    spreads["warm_over_floor_shipped"] = ratios(warm, found.floor_shipped)
    spreads["process_cold_over_floor"] = ratios([sample.process for sample in found.cold], found.floor)
    spreads["process_warm_over_floor"] = ratios([sample.process for sample in found.warm], found.floor)
    if found.virtme is not None:
        # virtme-ng's time is that of its process, and so is ours here.
        seconds = found.virtme.seconds
        spreads["virtme_ng_over_cold"] = ratios(seconds, [sample.process for sample in found.virtme.cold])
        spreads["virtme_ng_over_warm"] = ratios(seconds, [sample.process for sample in found.virtme.warm])
    if found.matrix is not None:
        spreads["jobs2_over_ideal"] = over_ideal(found.matrix.runs.get(Start.WARM, {}))
    return spreads


def over_ideal(runs: Mapping[int, Sequence[RunSample]]) -> Spread | None:
    """Return wall time x jobs / sum of single times: runs with 2 jobs against the runs with 1 of their round."""
    return ratios([2 * sample.run for sample in runs.get(2, ())], [sample.single for sample in runs.get(1, ())])


def _runs(samples: Sequence[RunSample]) -> dict[str, Any]:
    phases = [phase for phase in PHASES if any(phase in sample.phases for sample in samples)]
    return {
        "run": _spread(spread([sample.run for sample in samples])),
        "process": _spread(spread([sample.process for sample in samples])),
        "memory": _spread(spread([sample.memory for sample in samples])),
        "phases": {name: _spread(spread([sample.phases.get(name, 0.0) for sample in samples])) for name in phases},
        "samples": [sample.document() for sample in samples],
    }


def _virtme(found: VirtmeSamples) -> dict[str, Any]:
    return {
        "version": found.version,
        "kernel": found.kernel,
        "release": found.release,
        "command": found.command,
        "seconds": _spread(spread(found.seconds)),
        "cold": _runs(found.cold),
        "warm": _runs(found.warm),
    }


def _matrix(found: MatrixSamples) -> dict[str, Any]:
    return {
        "kernels": list(found.kernels),
        **{
            str(start): {
                **{f"jobs{jobs}": _runs(samples) for jobs, samples in runs.items()},
                "single": _spread(spread([sample.single for sample in runs.get(1, ())])),
                "jobs2_over_ideal": _spread(over_ideal(runs)),
            }
            for start, runs in found.runs.items()
        },
    }


def _added(found: CaseSamples) -> dict[str, Any]:
    return {
        "case": found.case,
        "guest": _slopes([[(count, sample.guest) for count, sample in points] for points in found.rounds]),
        "wall": _slopes([[(count, sample.run) for count, sample in points] for points in found.rounds]),
        "samples": [[{"cases": count, **sample.document()} for count, sample in points] for points in found.rounds],
    }


def _slopes(rounds: Sequence[Sequence[tuple[float, float]]]) -> dict[str, Any] | None:
    """Return the line through all points, and the slopes of the rounds; None where there is no line."""
    whole = line([point for points in rounds for point in points])
    lines = [each for points in rounds if (each := line(points)) is not None]
    return None if whole is None else asdict(whole) | {"slopes": _spread(spread([each.slope for each in lines]))}


def _spread(found: Spread | None) -> dict[str, Any] | None:
    return None if found is None else found.document()


def _each_once(texts: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(text for each in texts for text in each))
