"""The one way in which reports load their jinja2 templates."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from harness.reports.text import one_line


@cache
def template(name: str, *, autoescape: bool, filters: tuple[tuple[str, Callable[[str], str]], ...] = ()) -> Template:
    """Return the template `name`, compiled once: an unknown name in it is an error, `filters` are known to it.

    The filter `line`, which puts a text on one line and bounds it, is always there.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["line"] = one_line
    environment.filters.update(filters)
    return environment.get_template(name)
