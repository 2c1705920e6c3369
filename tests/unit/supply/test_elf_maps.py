"""The names that libbpf gives to maps which it makes of sections; test_listing.py shows all maps of an object."""

from __future__ import annotations

import pytest

from harness.supply.elf_maps import MapPlaces, map_name


@pytest.mark.parametrize(
    ("section", "stem", "name"),
    [
        # As bpftool shows them: 15 bytes at most, of which the section has 7 at least.
        (".bss", "target", "target.bss"),
        (".bss", "a_long_stem", "a_long_s.bss"),
        (".data", "a_long_stem", "a_long_s.data"),
        (".rodata", "a_long_stem", "a_long_s.rodata"),
        (".kconfig", "a_long_stem", "a_long_.kconfig"),
        (".rodata.config", "target", ".rodata.config"),
        (".data.a_very_long_name", "target", ".data.a_very_lo"),
    ],
)
def test_a_section_is_a_map_of_this_name(section: str, stem: str, name: str) -> None:
    assert map_name(section, stem=stem) == name
    assert len(name) <= 15


def test_a_place_is_that_of_a_map_or_of_a_section_that_is_one() -> None:
    places = MapPlaces(named={(3, 8): "events"}, whole={3: "whole", 5: ".bss"}, sections={"events": ".maps"})
    assert [places.name_at(place) for place in ((3, 8), (3, 0), (5, 24), (6, 0))] == ["events", "whole", ".bss", None]
