"""What an image has once its layers lie one over the other, and where its links lead: never out of it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.supply.oci.tree import File, HardLink, HostileError, Link, Member, Special, Tree


def tree(*layers: Mapping[str, object]) -> Tree:
    """A tree of layers; a member is a size, a link's target, None for a folder, or what it is."""
    made = Tree()
    for number, each in enumerate(layers):
        members = []
        for index, (path, what) in enumerate(each.items()):
            plain = (
                File(number, index, what) if isinstance(what, int) else Link(what) if isinstance(what, str) else what
            )
            members.append(Member(path, plain))  # type: ignore[arg-type]
        made.apply(members)
    return made


def sizes(made: Tree, folder: str = "") -> dict[str, int]:
    return {path: file.size for path, file in made.files_below(folder).items()}


def test_a_layer_lies_over_those_before_it() -> None:
    made = tree({"boot/": None, "boot/a": 1, "./boot/b": 2}, {"/boot/b": 3, "etc/c": 4})
    assert sizes(made) == {"boot/a": 1, "boot/b": 3, "etc/c": 4}
    found = made.find("boot/b")
    assert found is not None
    assert (found.path, found.file.layer) == ("boot/b", 1)


def test_whiteouts_remove_what_is_below_and_nothing_of_their_own_layer() -> None:
    base = {"boot/a": 1, "boot/b": 2, "lib/x/y": 3, "opt/z": 4}
    assert sizes(tree(base, {"boot/.wh.a": 0, "lib/.wh.x": 0})) == {"boot/b": 2, "opt/z": 4}
    assert sizes(tree(base, {"boot/a": 9, "boot/.wh.a": 0}))["boot/a"] == 9
    opaque = tree(base, {"boot/new": 5, "boot/.wh..wh..opq": 0})
    assert sizes(opaque, "boot") == {"new": 5}
    assert sizes(tree(base, {"boot/.wh..wh.aufs": 0, "boot/.wh.none": 0, "no/.wh.x": 0})) == sizes(tree(base))


def test_a_file_takes_the_place_of_a_folder_and_the_other_way_round() -> None:
    assert sizes(tree({"a/b": 1}, {"a": 2})) == {"a": 2}
    assert sizes(tree({"a": 2}, {"a/b": 1})) == {"a/b": 1}
    assert sizes(tree({"a/b": 1}, {"a": None})) == {"a/b": 1}, "a folder is the same folder"
    assert sizes(tree({"x/b": 1, "a": "x"}, {"a/": None, "a/c": 2})) == {"x/b": 1, "a/c": 2}


def test_links_lead_to_where_they_would_in_a_container() -> None:
    made = tree(
        {"usr/lib/modules/6/vmlinuz": 1, "lib": "usr/lib", "boot/k": "/lib/modules/6/vmlinuz", "up": "../../usr"}
    )
    for path in ("boot/k", "lib/modules/6/vmlinuz", "/lib/../lib/modules/6/vmlinuz", "up/lib/modules/6/vmlinuz"):
        found = made.find(path)
        assert found is not None
        assert found.path == "usr/lib/modules/6/vmlinuz"
    assert sizes(made, "lib") == {"modules/6/vmlinuz": 1}
    later = tree({"usr/lib/a": 1, "lib": "usr/lib"}, {"lib/b": 2, "lib/.wh.a": 0})
    assert sizes(later, "usr/lib") == {"b": 2}, "a later layer goes over the link, too"


def test_a_hard_link_is_the_file() -> None:
    made = tree({"a": 5}, {"boot/k": HardLink("/a")}, {".wh.a": 0})
    assert sizes(made) == {"boot/k": 5}
    same = made.find("boot/k")
    assert same is not None
    assert (same.file.layer, same.file.member) == (0, 0)


def test_what_leads_out_or_nowhere() -> None:
    made = tree({"loop": "loop", "a": "b", "b": "a", "gone": "/etc/shadow", "dev/k": Special("a device"), "d/": None})
    for path in ("loop", "a", "gone", "dev/k", "d", "nothing", "dev/k/x", "../../etc/passwd"):
        assert made.find(path) is None, path
    assert made.what("gone") == "a link to /etc/shadow, which is not in the image"
    assert made.what("dev/k") == "a device"
    assert made.what("d") == "a folder"
    assert made.what("nothing") == "not in the image"
    assert made.what("loop") == "a link to loop, which is not in the image"


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"../etc/passwd": 1}, "../etc/passwd leads out of the image"),
        ({"boot/../../x": 1}, "boot/../../x leads out of the image"),
        ({"boot/../.wh.x": 1}, "leads out of the image"),
        ({"k": HardLink("../../etc/shadow")}, "../../etc/shadow leads out of the image"),
        ({"k": HardLink("/etc/shadow")}, "k is a hard link to /etc/shadow, which is no file of the image"),
        ({"d/": None, "k": HardLink("d")}, "k is a hard link to d, which is no file of the image"),
        ({"a/" * 200 + "k": 1}, "is 201 folders deep"),
    ],
)
def test_a_hostile_member_is_named(members: dict[str, object], complaint: str) -> None:
    with pytest.raises(HostileError) as caught:
        tree(members)
    assert complaint in str(caught.value)


def test_patterns_match_part_for_part_and_find_a_file_once() -> None:
    made = tree({"boot/vmlinuz-6": 1, "boot/vmlinuz": "vmlinuz-6", "boot/sub/vmlinuz-7": 2, "lib": "usr/lib"})
    assert [each.path for each in made.match("boot/vmlinuz*")] == ["boot/vmlinuz"]
    assert [each.path for each in made.match("boot/*/vmlinuz*")] == ["boot/sub/vmlinuz-7"]
    assert made.match("lib/modules/*/vmlinuz") == []
    assert made.folders("boot/*") == ["boot/sub"]
    assert made.folders("bo*") == ["boot"]


def test_links_to_files_are_files_of_a_folder_and_those_to_folders_are_not() -> None:
    made = tree({"m/kernel/a.ko": 1, "m/b.ko": "kernel/a.ko", "m/build": "/usr/src", "usr/src/x": 2, "m/no": "gone"})
    assert sizes(made, "m") == {"b.ko": 1, "kernel/a.ko": 1}


NAMES = st.lists(st.sampled_from(["a", "b", "c", ".wh.a", ".wh..wh..opq", "."]), min_size=1, max_size=4).map("/".join)
THINGS = st.none() | st.integers(0, 9) | NAMES | st.sampled_from(["/", "..", "../..", "a/../b"]) | NAMES.map(HardLink)


@given(st.lists(st.dictionaries(NAMES, THINGS, max_size=6), max_size=4))
def test_any_layers_are_a_tree_or_hostile(layers: list[dict[str, object]]) -> None:
    try:
        made = tree(*layers)
    except HostileError:
        return
    for path in made.files_below(""):
        assert made.find(path) is not None
        assert ".." not in path.split("/")
    made.match("*/*")
    made.what("a/b")
