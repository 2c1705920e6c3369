"""The tables and the plot."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from bench_sample import golden, measurements, quick_measurements

from harness.bench import pages
from harness.bench.document import RATIOS, SHIPPED, build, parse, render
from harness.bench.samples import PHASES
from harness.reports import page

ROOT = Path(__file__).resolve().parents[3]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(params=[measurements, quick_measurements], ids=["whole", "quick"])
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    return build(request.param())


def test_golden() -> None:
    for name, found in (("bench", measurements()), ("bench-quick", quick_measurements())):
        golden(f"{name}.md", f"{pages.table(build(found), plot='phases.svg')}\n")
        golden(f"{name}.svg", pages.plot(build(found)))


def test_every_ratio_and_phase_has_its_words_and_colour() -> None:
    assert set(pages.RATIOS) == {*RATIOS, *SHIPPED}
    assert set(pages.COLOURS) == set(pages.MEANINGS) == {"floor", *PHASES}
    assert len(set(pages.COLOURS.values())) == len(pages.COLOURS)


def test_the_tables_name_what_was_measured_and_nothing_else(document: dict[str, Any]) -> None:
    text = pages.table(document)
    for name, meaning in pages.RATIOS.items():
        assert (f"| {meaning} |" in text) == (document["ratio_spreads"][name] is not None)
        assert (f"`{name}`" in text) == (document["ratio_spreads"][name] is None)
    assert "phases.svg" not in text
    assert "None" not in text


def test_every_table_is_whole(document: dict[str, Any]) -> None:
    for block in pages.table(document).split("\n\n"):
        widths = {line.count("|") for line in block.splitlines() if line.startswith("|")}
        assert len(widths) <= 1, block


def test_a_document_of_before_a_phase_was_measured_can_still_be_drawn(document: dict[str, Any]) -> None:
    older = parse(render(document))
    for start in ("cold", "warm"):
        older[start]["phases"].pop("start", None)
    text, picture = pages.table(older, plot="phases.svg"), pages.plot(older)
    assert pages.MEANINGS["start"] in pages.table(document)
    assert pages.MEANINGS["start"] not in text
    assert "start:" not in picture
    ET.fromstring(picture)


def test_problems_are_shown() -> None:
    text = pages.table(build(quick_measurements()))
    assert "- 6.1-x86_64 x case-00: refused: as it was" in text
    assert "Not as it should be" not in pages.table(build(measurements()))


def test_the_plot_is_to_scale_and_needs_nothing_from_elsewhere(document: dict[str, Any]) -> None:
    text = pages.plot(document)
    root = ET.fromstring(text)
    boxes = {box[0].text or "": box for box in root.iter(f"{SVG}rect") if len(box)}
    widths = {title: float(box.get("width", "")) for title, box in boxes.items()}
    floor = next(width for title, width in widths.items() if title.startswith("floor, floor"))
    cold = sum(width for title, width in widths.items() if title.startswith("cold, "))
    wanted = document["cold"]["process"]["median"] / document["floor"]["median"]
    assert cold / floor == pytest.approx(wanted, rel=0.02)
    right = max(float(box.get("x", "")) + float(box.get("width", "")) for box in boxes.values())
    assert right < float(root.get("width", ""))
    assert "href" not in text
    assert text.count("http") == 1, "the name space"


def test_parts_of_a_bar_follow_one_another() -> None:
    root = ET.fromstring(pages.plot(build(measurements())))
    bars: dict[str, list[tuple[float, float]]] = {}
    for box in root.iter(f"{SVG}rect"):
        if len(box):
            x, width = float(box.get("x", "")), float(box.get("width", ""))
            bars.setdefault(box.get("y", ""), []).append((x, x + width))
    assert len(bars) == 3
    for parts in bars.values():
        for (_, end), (start, _) in pairwise(parts):
            assert start == pytest.approx(end, abs=0.2)


def test_names_of_the_users_own_do_no_harm() -> None:
    document = build(measurements())
    document["kernel"] = "<b>&|x"
    assert "<b>" not in pages.table(document)
    ET.fromstring(pages.plot(document))


def test_the_committed_page_has_its_place() -> None:
    text = (ROOT / "docs/performance.md").read_text()
    assert page.insert(text, "new", part=page.BENCH) != text
