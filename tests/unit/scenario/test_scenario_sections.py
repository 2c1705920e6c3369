"""What the section of a program says of how it gets to run."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario.sections import ALONE, SECTIONS, By, Section, known_section, section_of, target_of


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


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *(
            (name, name)
            for name in ("xdp", "xdp/devmap", "tc/ingress", "cgroup/connect4", "kprobe/x", "kprobes/x", "?xdp")
        ),
        *((name, name) for name in ("struct_ops/x", "tcp_x", "socketpair", "xdpx", "actions", "my_section", "")),
        *((name, "xdp") for name in ("xdp/mine", "xdp_mine", "xdp1", "xdp-mine", "xdp/mine/2")),
        *((name, "socket") for name in ("socket/tail", "socket_filter/x", "socket1")),
        *((name, "classifier") for name in ("classifier/x", "classifier_x")),
        ("?classifier/x", "?classifier"),
        ("tc/ingress/x", "tc/ingress"),
        ("tc/x", "tc"),
        ("cgroup_skb/egress/x", "cgroup_skb/egress"),
        ("cgroup/sock_create/x", "cgroup/sock_create"),
        ("cgroup/skb/x", "cgroup/skb"),
        ("sk_skb/stream_parser/x", "sk_skb/stream_parser"),
        ("xdp.frags/x", "xdp.frags"),
    ],
)
def test_a_section_means_its_beginning_where_libbpf_knows_nothing_behind_it(name: str, known: str) -> None:
    assert known_section(name) == known


def test_libbpf_knows_the_sections_that_stand_alone() -> None:
    """Asked of the host's libbpf; newer ones know more."""
    libbpf = ctypes.CDLL("libbpf.so.1")
    libbpf.libbpf_set_print(None)
    place = ctypes.byref(ctypes.c_int(0))
    known = [name for name in ALONE if libbpf.libbpf_prog_type_by_name(name.encode(), place, place) == 0]
    assert len(known) > 40
    for name in known:
        assert libbpf.libbpf_prog_type_by_name(f"{name}/mine".encode(), place, place) != 0, name
