"""Templates: a name that nobody gives is an error, and text is put on one line by a filter."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from harness.reports.templating import template


def test_a_name_that_nobody_gives_is_an_error() -> None:
    page = template("report.md.j2", autoescape=False, filters=(("md", str), ("fence", str)))
    with pytest.raises(UndefinedError):
        page.render()
    with pytest.raises(UndefinedError, match="'nothing' is undefined"):
        page.environment.from_string("{{ nothing }}").render()


def test_a_template_is_compiled_once_for_the_same_filters() -> None:
    filters = (("md", str), ("fence", str))
    one = template("report.md.j2", autoescape=False, filters=filters)
    assert template("report.md.j2", autoescape=False, filters=filters) is one
    assert one.environment.filters["line"]("two\nlines") == "two lines"
