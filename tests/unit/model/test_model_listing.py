"""A listing is a value that is kept as JSON with its object."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.model.listing import Listing

LISTING = Listing(
    programs={"f": "xdp"},
    functions={"f": ["f", "g"]},
    maps={"m": 2, "n": None},
    registers=["ax"],
    uses={"f": ["m"]},
    slots={"progs": ["f"]},
    struct_ops={"ops": ["f"]},
    optional=["ops"],
    variables={"v": ".bss"},
    license="GPL",
)


@pytest.mark.parametrize("listing", [LISTING, Listing(registers=[], optional=[])])
def test_what_was_kept_is_read_as_it_was(listing: Listing) -> None:
    assert Listing.from_json(json.loads(json.dumps(listing.to_json()))) == listing


@pytest.mark.parametrize("key", list(LISTING.to_json()))
def test_what_an_older_bpfmatrix_kept_is_no_listing(key: str) -> None:
    value: dict[str, Any] = LISTING.to_json()
    del value[key]
    with pytest.raises(KeyError):
        Listing.from_json(value)
