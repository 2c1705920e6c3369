from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from answers_samples import CELLS, report
from pages_samples import one_of_each
from reports_sample import nasty_report

from harness.model.results import Report, Verdict
from harness.reports import grid, grid_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(made: Report) -> ElementTree.Element:
    return ElementTree.fromstring(grid_svg.render(made))


def boxes(picture: ElementTree.Element) -> dict[str, int]:
    """How many boxes of each verdict there are, the legend's apart."""
    paths = [each for each in picture.iter(f"{SVG}path") if each.get("class", "").startswith("v-")]
    return {each.get("class", "")[2:]: each.get("d", "").count("z") for each in paths}


def texts(picture: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in picture.iter(f"{SVG}text")]


def test_each_cell_is_a_box_of_its_verdict() -> None:
    made = report({"6.1-x86_64": {word: word for word in CELLS}, "6.1-arm64": dict.fromkeys(CELLS, "pass")})
    found = boxes(drawn(made))
    assert found == {str(verdict): count for verdict, count in grid.counts(made).items() if count}
    assert sum(found.values()) == 2 * len(CELLS)


def test_no_two_boxes_are_in_one_place() -> None:
    made = report({"a": {word: word for word in CELLS}, "b": {word: word for word in CELLS}})
    places = [
        place for each in drawn(made).iter(f"{SVG}path") for place in re.findall(r"M\d+ \d+(?=h)", each.get("d", ""))
    ]
    assert len(places) == len(set(places)) == 2 * len(CELLS)


def test_a_cell_that_is_missing_is_an_error_and_not_absent() -> None:
    made = report({"a": {"x": "pass"}, "b": {"y": "pass"}})
    assert boxes(drawn(made)) == {"pass": 2, "error": 2}


def test_every_verdict_has_a_colour_on_both_grounds() -> None:
    assert set(grid_svg.COLOURS) == set(Verdict)
    style = drawn(one_of_each()).findtext(f"{SVG}style") or ""
    light, dark = style.split("@media(prefers-color-scheme:dark)")
    for verdict, colours in grid_svg.COLOURS.items():
        assert f".v-{verdict}{{fill:{colours[0]}}}" in light
        assert f".v-{verdict}{{fill:{colours[1]}}}" in dark


def test_rows_are_by_architecture_and_the_legend_counts() -> None:
    found = texts(drawn(report({"6.1-x86_64": {"a": "pass"}, "6.1-arm64": {"a": "fail"}, "7.3-x86_64": {"a": "pass"}})))
    assert found[1:6] == ["x86_64", "6.1-x86_64", "7.3-x86_64", "arm64", "6.1-arm64"]
    assert found[-2:] == ["✓ pass: 2", "✗ fail: 1"]


def test_who_cannot_see_it_reads_it() -> None:
    picture = drawn(report({"6.1-x86_64": {"a": "pass", "b": "fail"}}))
    assert (picture.get("role"), picture.get("aria-labelledby")) == ("img", "title desc")
    assert "2 cells (1 kernel × 2 cases)" in (picture.findtext(f"{SVG}title") or "")
    assert picture.findtext(f"{SVG}desc") == "6.1-x86_64: 1 pass, 1 fail."


def test_no_text_of_a_guest_is_markup() -> None:
    picture = drawn(nasty_report())
    kinds = {each.tag.removeprefix(SVG) for each in picture.iter()}
    assert kinds <= {"svg", "title", "desc", "style", "text", "path", "rect"}


def test_a_long_name_is_cut() -> None:
    found = texts(drawn(report({"a" * 100: {"x": "pass"}})))
    assert "a" * (grid_svg.LONGEST_LABEL - 1) + "…" in found


def test_an_empty_grid_is_a_picture_too() -> None:
    assert boxes(drawn(report({}))) == {}


@pytest.mark.parametrize("cases", [1, 124])
def test_everything_lies_within_the_picture(cases: int) -> None:
    picture = drawn(report({"6.1-x86_64": dict.fromkeys(map(str, range(cases)), "pass")}))
    width, height = int(picture.get("width", "0")), int(picture.get("height", "0"))
    for each in picture.iter(f"{SVG}path"):
        for left, top in re.findall(r"M(\d+) (\d+)h", each.get("d", "")):
            assert int(left) + grid_svg.CELL_WIDTH <= width and int(top) + grid_svg.CELL_HEIGHT <= height
    for each in picture.iter(f"{SVG}rect"):
        assert int(each.get("x", "0")) < width and int(each.get("y", "0")) + grid_svg.CELL_HEIGHT <= height
