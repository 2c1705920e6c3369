"""Small XML documents as lists of elements, and what is no such document."""

from __future__ import annotations

import pytest

from harness.errors import FetchError
from harness.supply.rpm.documents import elements

DOCUMENT = b'<?xml version="1.0"?><a xmlns="x" xmlns:m="y"><m:b kind="1">one<c/> more</m:b><d>two</d></a>'


def test_elements_come_in_their_order_with_attributes_and_text_and_without_prefixes() -> None:
    found = [(each.path, each.text) for each in elements(DOCUMENT, "it")]
    assert found == [(("a",), ""), (("a", "b"), "one more"), (("a", "b", "c"), ""), (("a", "d"), "two")]
    assert elements(DOCUMENT, "it")[1].attributes == {"kind": "1"}


def test_what_is_behind_the_last_that_is_wanted_is_not_read() -> None:
    assert [each.path[-1] for each in elements(DOCUMENT.removesuffix(b"</a>"), "it", last="d")] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "data",
    [b"", b"text", DOCUMENT[:-3], b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx">]><a>&x;</a>', b"<a>\xff</a>"],
)
def test_what_is_no_such_document_is_named(data: bytes) -> None:
    with pytest.raises(FetchError, match=r"it is not what somebody writes: "):
        elements(data, "it", writer="somebody")
