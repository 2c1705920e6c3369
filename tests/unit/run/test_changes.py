"""What was saved, and which cases that concerns."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import ROOT
from watch_desk import Desk

from harness.run.changes import Files, FileState, Look, changed, concerned, saved_at
from harness.supply.project import Project


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


A, B = Path("bpf/a"), Path("bpf/b")


STATE = FileState(modified_ns=5_000_000_000, size=7, inode=9)


def look(files: dict[Path, FileState], *, at: float = 0.0, cases: Sequence[Path] = (A, B)) -> Look:
    return Look(files=files, cases={folder.name: folder for folder in cases}, at=at)


def test_nothing_has_changed() -> None:
    assert changed(look({A / "x.bpf.c": STATE}, at=1), look({A / "x.bpf.c": STATE}, at=2)) == ()


@pytest.mark.parametrize("field", ["modified_ns", "size", "inode"])
def test_a_file_has_changed_if_anything_of_its_state_has(field: str) -> None:
    other = replace(STATE, **{field: getattr(STATE, field) + 1})
    same = {A / "same.h": STATE}
    assert changed(look({A / "x.bpf.c": STATE, **same}), look({A / "x.bpf.c": other, **same})) == (A / "x.bpf.c",)


def test_files_come_and_go() -> None:
    before, after = look({A / "old.h": STATE}), look({A / "new.h": STATE})
    assert changed(before, after) == (A / "new.h", A / "old.h")


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)),
)
def test_two_looks_differ_by_what_changed_and_by_nothing_else(one: dict[str, int], other: dict[str, int]) -> None:
    before, after = (
        look({Path(name): replace(STATE, size=size) for name, size in files.items()}) for files in (one, other)
    )
    paths = changed(before, after)
    assert paths == changed(after, before)
    assert {str(path) for path in paths} == {name for name in "abcd" if one.get(name) != other.get(name)}


@pytest.mark.parametrize(
    ("paths", "cases"),
    [
        ([], set()),
        ([A / "x.bpf.c"], {"a"}),
        ([A / "x.bpf.c", B / "case.yaml"], {"a", "b"}),
        ([A / "include/deep/common.h"], {"a"}),
        ([Path("bpf/include/event.h")], {"a", "b"}),
        ([Path("bpf/expectations.yaml")], {"a", "b"}),
        ([Path("matrix.yaml")], {"a", "b"}),
        ([A / "x.bpf.c", Path("matrix.yaml")], {"a", "b"}),
    ],
)
def test_which_cases_a_change_concerns(paths: list[Path], cases: set[str]) -> None:
    assert concerned(paths, before=look({}), after=look({})) == cases


def test_a_new_case_is_concerned_and_one_that_is_gone_concerns_nothing() -> None:
    with_both, with_a = look({}), look({}, cases=[A])
    assert concerned([B / "case.yaml"], before=with_a, after=with_both) == {"b"}
    assert concerned([B / "case.yaml"], before=with_both, after=with_a) == set()


@pytest.mark.parametrize(
    ("modified", "at"),
    [([4.5], 4.5), ([4.5, 4.75], 4.75), ([1.0], 4.0), ([9.0], 5.0), ([], 5.0), ([None], 5.0), ([None, 4.5], 4.5)],
)
def test_when_the_last_of_some_files_was_saved(modified: list[float | None], at: float) -> None:
    """Between the looks at 4 and 5, whatever the files say; None is one that is gone."""
    states = {Path(str(number)): time for number, time in enumerate(modified)}
    files = {path: replace(STATE, modified_ns=round(time * 1e9)) for path, time in states.items() if time is not None}
    assert saved_at(states, before=look({}, at=4.0), after=look(files, at=5.0)) == at


def seen(files: Files, desk: Desk) -> list[str]:
    return sorted(str(path.relative_to(desk.folder)) for path in files.look().files)


def test_what_the_chosen_cases_depend_on_is_looked_at(desk: Desk) -> None:
    files = Files(desk.project, patterns=["a"])
    expected = ["bpf/a/case.yaml", "bpf/a/target.bpf.c", "bpf/expectations.yaml", "bpf/include/event.h", "matrix.yaml"]
    assert seen(files, desk) == expected
    assert files.look().cases == {"a": desk.folder / "bpf/a"}
    assert sorted(Files(desk.project, patterns=["[ab]", "c"]).look().cases) == ["a", "b", "c"]


def test_a_suite_is_looked_at_where_it_lies(desk: Desk) -> None:
    project = Project(matrix_file=desk.project.matrix_file, suite="tracing")
    found = Files(project, patterns=["xdp"]).look()
    assert found.cases == {"xdp": ROOT / "bpf/xdp"}
    assert {ROOT / "bpf/xdp/case.yaml", ROOT / "bpf/expectations.yaml", ROOT / "bpf/include/kernel.h"} <= set(
        found.files
    )
    assert desk.folder / "bpf/include/event.h" not in found.files, "it is compiled without it"


def test_sources_that_cases_share_are_looked_at_and_concern_all(desk: Desk) -> None:
    files = Files(desk.project, patterns=["a", "b"])
    before = files.look()
    desk.save("bpf/shared/target.bpf.c", "pass")
    after = files.look()
    assert changed(before, after) == (desk.folder / "bpf/shared/target.bpf.c",)
    assert concerned(changed(before, after), before=before, after=after) == {"a", "b"}
    assert after.cases.keys() == {"a", "b"}, "the folder is no case"


@pytest.mark.parametrize(
    "name", [".target.bpf.c.swp", "target.bpf.c~", "#target.bpf.c#", ".#target.bpf.c", "4913", "x"]
)
def test_what_an_editor_leaves_is_no_change(name: str, desk: Desk) -> None:
    files = Files(desk.project, patterns=["a"])
    before = files.look()
    desk.save(f"bpf/a/{name}", "x")
    desk.save(f"bpf/include/{name}", "x")
    assert changed(before, files.look()) == ()


@pytest.mark.parametrize(
    "name",
    [
        "bpf/a/case.yaml",
        "bpf/a/target.bpf.c",
        "bpf/a/new.h",
        "bpf/a/made.bpf.o",
        "bpf/a/prebuilt_bpfel.o",
        "bpf/a/impl.c",
        "bpf/a/include/deep/common.h",
        "bpf/include/bpf/own.h",
        "bpf/include/new.h",
        "bpf/expectations.yaml",
        "matrix.yaml",
    ],
)
def test_a_save_is_seen(name: str, desk: Desk) -> None:
    files = Files(desk.project, patterns=["a"])
    before = files.look()
    desk.save(name, desk.text(name) if (desk.folder / name).exists() else "")
    assert changed(before, files.look()) == (desk.folder / name,)


def test_saving_by_renaming_is_seen_whatever_the_time_and_the_size(desk: Desk) -> None:
    files = Files(desk.project, patterns=["a"])
    before = files.look()
    path = desk.folder / "bpf/a/target.bpf.c"
    status, copy = path.stat(), path.with_name("copy")
    shutil.copyfile(path, copy)
    os.utime(copy, ns=(status.st_mtime_ns, status.st_mtime_ns))
    copy.replace(path)
    assert changed(before, files.look()) == (path,)


def test_a_file_that_is_gone_is_seen_and_harms_nothing(desk: Desk) -> None:
    files = Files(desk.project, patterns=["a"])
    before = files.look()
    shutil.rmtree(desk.folder / "bpf/include")
    (desk.folder / "bpf/a/dangling.h").symlink_to("nowhere")
    assert changed(before, files.look()) == (desk.folder / "bpf/include/event.h",)


def test_a_new_case_that_matches_is_found(desk: Desk) -> None:
    files = Files(desk.project, patterns=["a*"])
    before = files.look()
    desk.save("bpf/another/case.yaml", "")
    after = files.look()
    assert changed(before, after) == (desk.folder / "bpf/another/case.yaml",)
    assert sorted(after.cases) == ["a", "another"]


def test_while_the_matrix_is_wrong_the_cases_are_those_of_before(desk: Desk) -> None:
    files = Files(desk.project, patterns=["*"])
    desk.save("matrix.yaml", "cases: [")
    assert files.look().cases == {}, "nobody knows yet where they are"
    desk.matrix(cases=["bpf/[ab]"])
    assert sorted(files.look().cases) == ["a", "b"]
    desk.save("matrix.yaml", "cases: [")
    assert sorted(files.look().cases) == ["a", "b"]
