"""What the section of a program says of how it gets to run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario.sections import SECTIONS, By, Section, section_of, target_of


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("kprobe/tcp_connect", "kprobe"),
        ("kprobe", "kprobe"),
        ("kprobe.multi/tcp_*", "kprobe.multi"),
        ("?fentry.s/f", "fentry.s"),
        ("fmod_ret/f", "fmod_ret"),
        ("struct_ops/init", "struct_ops"),
        ("?struct_ops", "struct_ops"),
        ("xdp/devmap", "xdp/devmap"),
        ("syscall", "syscall"),
    ],
)
def test_a_section_is_known_by_its_name_and_what_stands_behind_a_slash_is_its_target(name: str, entry: str) -> None:
    assert section_of(name) is SECTIONS[entry]


@pytest.mark.parametrize("name", ["xdp", "xdp.frags", "tc", "socket", "kprobes/f", "fentrys", "cgroup/devmap", "", "?"])
def test_programs_of_all_other_sections_are_attached_and_counted(name: str) -> None:
    assert section_of(name) == Section() == Section(by=By.LINK, uncounted="", needs="")


@given(st.sampled_from(sorted(SECTIONS)), st.text("ab_*:/", min_size=1), st.booleans())
def test_a_target_changes_nothing_of_it_and_neither_does_what_is_optional(
    entry: str, target: str, optional: bool
) -> None:
    name = f"{'?' * optional}{entry}/{target}"
    assert section_of(name) is SECTIONS[entry]
    assert target_of(name).endswith(target)


def test_a_target_is_what_follows_the_first_slash() -> None:
    names = ("?kprobe/f", "uprobe//bin/true:main", "xdp", "tp/sched/x")
    assert [target_of(name) for name in names] == ["f", "/bin/true:main", "", "sched/x"]


def test_what_must_be_known_when_a_program_is_loaded_is_something_that_it_needs() -> None:
    assert [name for name, section in SECTIONS.items() if section.before_load and not section.needs] == []
    said = ("uncounted", "needs", "maps")
    assert all(section.by is not By.LINK or any(getattr(section, key) for key in said) for section in SECTIONS.values())
