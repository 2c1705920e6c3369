"""The page of refusals by class has every class of the table, and no row breaks it."""

from __future__ import annotations

import re

from harness.model.evidence import row, when
from harness.model.refusals import NAMES, TABLE
from harness.site.refusal_page import page


def test_every_class_has_its_title_once() -> None:
    assert re.findall(r"^## (.*)$", page(TABLE), re.MULTILINE) == list(NAMES)


def test_rows_of_a_class_are_together() -> None:
    table = (
        row("late", when("load", "EINVAL", r"a|b"), "verifier.c", "Use `another` | one."),
        row("other", when("attach"), "x.c", "Do not."),
        row("late", when("load attach", "EPERM EACCES", log="no"), "y.c", "Ask."),
    )
    made = page(table)
    assert made.count("## late") == 1
    assert "| load | EINVAL; <code>a&#124;b</code> |" in made
    assert "| attach, load | EACCES or EPERM; <code>no</code> | Ask. | y.c |" in made


def test_no_text_breaks_the_table() -> None:
    rows = [line for line in page(TABLE).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {5}
