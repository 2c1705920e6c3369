from __future__ import annotations

from xml.etree import ElementTree

import pytest
from reports_sample import NASTY

from harness.reports import badge, support_page

SVG = "{http://www.w3.org/2000/svg}"


def test_a_badge_has_a_label_a_message_and_a_colour() -> None:
    picture = ElementTree.fromstring(badge.render("works on", "14 of 14 kernels seen", "brightgreen"))
    assert [each.text for each in picture.iter(f"{SVG}text")] == ["works on", "14 of 14 kernels seen"]
    assert picture.get("aria-label") == "works on: 14 of 14 kernels seen"
    assert [each.get("fill") for each in picture.iter(f"{SVG}rect")][-1] == badge.COLOURS["brightgreen"]


def test_a_longer_message_makes_a_wider_badge() -> None:
    short, long = (ElementTree.fromstring(badge.render("a", text, "red")) for text in ("b", "b" * 40))
    assert int(short.get("width", "0")) < int(long.get("width", "0"))


def test_the_support_statements_colours_are_known() -> None:
    known = {support_page.GREEN, support_page.YELLOW, support_page.RED, support_page.GREY}
    assert known == set(badge.COLOURS)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", badge.COLOURS.values())
def test_white_text_can_be_read_on_each_colour(colour: str) -> None:
    """The ratio of WCAG 2.1, 1.4.3."""
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_no_text_is_markup() -> None:
    picture = ElementTree.fromstring(badge.render(NASTY, NASTY, "red"))
    assert {each.tag.removeprefix(SVG) for each in picture.iter()} <= {"svg", "title", "clipPath", "rect", "g", "text"}
