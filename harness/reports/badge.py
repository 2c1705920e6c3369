"""badge.svg: a label and a few words in a colour, as READMEs show them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from harness.reports.text import one_line

COLOURS: Mapping[str, str] = {
    "brightgreen": "#1a7f37",
    "yellow": "#9a6700",
    "red": "#cf222e",
    "lightgrey": "#59636e",
}
"""The colours, by the names that shields.io has for its own; white text can be read on each (contrast above 4.5)."""

HEIGHT, PADDING, PER_CHARACTER = 20, 8, 6.8
"""Pixels; a character of 11 px Verdana takes about so much, and the text is stretched to what it gets."""


def render(label: str, message: str, colour: str) -> str:
    """Return an SVG of a badge; `colour` is one of `COLOURS`. Its text is there for screen readers as well."""
    label, message = one_line(label), one_line(message)
    left, right = (round(len(text) * PER_CHARACTER) + 2 * PADDING for text in (label, message))
    width = left + right
    said = escape(f"{label}: {message}", {'"': "&quot;"})
    texts = "".join(
        f'<text x="{start + PADDING}" y="14" textLength="{size - 2 * PADDING}">{escape(text)}</text>'
        for start, size, text in ((0, left, label), (left, right, message))
        if text
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" role="img" aria-label="{said}">'
        f"<title>{said}</title>"
        f'<clipPath id="round"><rect width="{width}" height="{HEIGHT}" rx="3"/></clipPath><g clip-path="url(#round)">'
        f'<rect width="{left}" height="{HEIGHT}" fill="#343a40"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{COLOURS[colour]}"/></g>'
        f'<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">{texts}</g></svg>\n'
    )
