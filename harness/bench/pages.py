"""What people see of a bench.json: tables in Markdown, and a plot of the phases. Pure.

Both are made of the document alone, so that an old one can be shown again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.bench.samples import KERNEL, PHASES, PROCESS, REST, USERLAND
from harness.model.phases import Phase
from harness.reports.markdown import escape
from harness.reports.templating import template

RATIOS = {
    "cold_over_floor": "cold run / floor",
    "warm_over_floor": "warm run / floor",
    "process_cold_over_floor": "cold, whole process / floor",
    "process_warm_over_floor": "warm, whole process / floor",
    "virtme_ng_over_cold": "virtme-ng / cold, whole processes, same generic kernel",
    "virtme_ng_over_warm": "virtme-ng / warm, whole processes, same generic kernel",
    "cold_over_floor_shipped": "cold run / floor without our settings",
    "warm_over_floor_shipped": "warm run / floor without our settings",
    "jobs2_over_ideal": "matrix: wall time × 2 jobs / sum of single times (warm)",
}

FLOOR = "floor"
"""The bar, and the only phase of it, that the others are compared with."""

COLOURS = {
    FLOOR: "#6e7781",
    Phase.FETCH: "#d0d7de",
    Phase.START: "#a475f9",
    KERNEL: "#0969da",
    USERLAND: "#54aeff",
    Phase.CONNECT: "#1b7c83",
    Phase.PUSH: "#2da44e",
    Phase.AGENT: "#4ac26b",
    Phase.CASES: "#1a7f37",
    Phase.SHUTDOWN: "#bf8700",
    REST: "#eac54f",
    PROCESS: "#ffb77c",
}
"""The colour of each phase in the plot."""

MEANINGS = {
    FLOOR: "the kernel as shipped, power-off at its init",
    Phase.FETCH: "kernel, image and objects taken from the cache",
    Phase.START: (
        "cold: initramfs written, kernel unpacked, QEMU started; warm: snapshot verified and restored, greeting"
    ),
    KERNEL: "firmware and kernel, up to init",
    USERLAND: "cold: init to SSH; warm: greeting to SSH",
    Phase.CONNECT: "SSH handshake",
    Phase.PUSH: "the job and its objects pushed by SFTP; cold: the agent, too",
    Phase.AGENT: "up to the agent's first line",
    Phase.CASES: "the cases",
    Phase.SHUTDOWN: "power-off",
    REST: "what the run takes beside its guest",
    PROCESS: "Python's start, objects, keys; the reports",
}

_WIDTH, _LEFT, _TOP, _BAR, _STEP = 760, 60, 34, 26, 40


@dataclass(frozen=True, kw_only=True)
class _Box:
    """One part of a bar, in the plot's units."""

    x: float
    y: float
    width: float
    height: int
    colour: str
    title: str


def table(document: Mapping[str, Any], *, plot: str | None = None) -> str:
    """Return the tables of a bench.json in Markdown. `plot` is the address of the plot, None: without one."""
    text = template("bench.md.j2", autoescape=False, filters=(("md", escape),)).render(
        found=document,
        plot=plot,
        ratios=RATIOS,
        unmeasured=_unmeasured(document["notes"]),
        phases=[(name, MEANINGS[name]) for name in PHASES if any(name in _phases(document, of) for of in _STARTS)],
        seconds=_seconds,
        number=_number,
        milliseconds=_milliseconds,
        megabytes=_megabytes,
    )
    return text.rstrip("\n")


def plot(document: Mapping[str, Any]) -> str:
    """Return the phases of floor, cold and warm as an SVG picture that needs nothing from elsewhere."""
    bars = {FLOOR: {FLOOR: _median(document["floor"])}}
    for start in _STARTS:
        bars[start] = {name: _median(found) for name, found in _phases(document, start).items()}
    longest = max(1e-9, *(math.fsum(parts.values()) for parts in bars.values()))
    tick = next((step for step in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0) if longest / step <= 10), 60.0)
    scale = (_WIDTH - _LEFT - 80) / longest
    rows, boxes = [], []
    for index, (name, parts) in enumerate(bars.items()):
        x, y = float(_LEFT), _TOP + index * _STEP
        for phase, seconds in parts.items():
            width = seconds * scale
            title = f"{name}, {phase}: {seconds:.3f} s"
            box = _Box(x=round(x, 1), y=y, width=round(width, 1), height=_BAR, colour=COLOURS[phase], title=title)
            boxes.append(box)
            x += width
        rows.append({"name": name, "y": y + 17, "end": round(x + 6, 1), "total": f"{math.fsum(parts.values()):.2f} s"})
    bottom = _TOP + len(bars) * _STEP
    shown = [phase for phase in COLOURS if any(phase in parts for parts in bars.values())]
    legend = [
        {"x": _LEFT + index % 6 * 112, "y": bottom + 34 + index // 6 * 20, "colour": COLOURS[phase], "name": phase}
        for index, phase in enumerate(shown)
    ]
    ticks = [
        {"x": round(_LEFT + n * tick * scale, 1), "text": f"{n * tick:g} s"} for n in range(int(longest / tick) + 1)
    ]
    return template("phases.svg.j2", autoescape=True).render(
        width=_WIDTH,
        height=bottom + 50 + (len(shown) - 1) // 6 * 20,
        title=f"Where the seconds go: {document['kernel']}, {document['case']}, {document['accel']}",
        rows=rows,
        boxes=boxes,
        legend=legend,
        ticks=ticks,
        top=_TOP - 6,
        bottom=bottom,
    )


_STARTS = ("cold", "warm")


def _phases(document: Mapping[str, Any], start: str) -> Mapping[str, Any]:
    phases: Mapping[str, Any] = document[start]["phases"]
    return phases


def _unmeasured(notes: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Return what was not measured, by the reason."""
    return [(why, [f"`{name}`" for name in notes if notes[name] == why]) for why in dict.fromkeys(notes.values())]


def _median(found: Mapping[str, Any] | None) -> float:
    return 0.0 if found is None else float(found["median"])


def _seconds(found: Mapping[str, Any] | None) -> str:
    """Return a spread of seconds for a cell of a table: `1.23 s (1.20-1.31)`."""
    return "-" if found is None else f"{found['median']:.2f} s ({found['min']:.2f}–{found['max']:.2f})"


def _number(found: Mapping[str, Any] | None, digits: int = 2) -> dict[str, str]:
    """Return the text of a spread of plain numbers, by what they are."""
    if found is None:
        return dict.fromkeys(("median", "min", "q1", "q3", "max"), "-")
    return {name: f"{found[name]:.{digits}f}" for name in ("median", "min", "q1", "q3", "max")}


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _megabytes(size: int | None) -> str:
    """Return bytes in MB (10^6 bytes); `-` where they are not known."""
    return "-" if size is None else f"{size / 1e6:.1f} MB"
