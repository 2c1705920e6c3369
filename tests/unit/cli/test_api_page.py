"""docs/scenario-api.md says what the docstrings of the API say."""

from __future__ import annotations

from unit_samples import ROOT

from harness.cli.api_page import API_PAGE, API_SOURCES, page_of

SOURCE = '''
"""A module."""

__all__ = ["Wrong", "Thing"]

class Wrong(Exception):
    """It is wrong."""

class Hidden:
    """Not shown."""

class Thing:
    """A thing.

    More of it.
    """

    def do(self, what: str, *, times: int = 1) -> int:
        """Do it."""

    def _own(self) -> None:
        """Not shown."""

    @property
    def size(self) -> int:
        """Its size."""

    def __getitem__(self, key: str) -> int:
        return 1
'''


def test_the_committed_page_is_that_of_the_module() -> None:
    page = (ROOT / "docs" / API_PAGE).read_text()
    assert page == page_of(*(path.read_text() for path in API_SOURCES)), "run: invoke schema"


def test_public_classes_are_shown_in_their_order_and_exceptions_last() -> None:
    page = page_of(SOURCE)
    assert [line for line in page.splitlines() if line.startswith("## ")] == ["## Thing", "## Wrong"]
    assert "Not shown." not in page
    assert "```python\ndo(what: str, *, times: int=1) -> int\n```\n\nDo it.\n" in page
    assert "```python\nsize\n```" in page
    assert "```python\nthing[key]\n```" in page


def test_a_long_signature_has_a_line_for_each_parameter() -> None:
    page = page_of(*(path.read_text() for path in API_SOURCES))
    assert "open(\n    file: str,\n    *,\n    only: Sequence[str] | None = None,\n" in page
    assert max(len(line) for line in page.splitlines()) <= 120
