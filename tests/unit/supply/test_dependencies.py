"""What a compiler read and where it looked, as it says so itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.supply.dependencies import Dependencies, Sight, looked_for, newer_than, read_depfile, search_folders


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("a.o: a.c\n", ["a.c"]),
        ("a.o: a.c \\\n  /usr/include/x.h \\\n  b.h\n", ["a.c", "/usr/include/x.h", "b.h"]),
        ("a.o: my\\ file.c a\\#b.h cost$$.h\n", ["my file.c", "a#b.h", "cost$.h"]),
        ("a.o: a.c b.h b.h\n", ["a.c", "b.h"]),
        ("a.o: back\\slash.h\n", ["back\\slash.h"]),
        ("", []),
    ],
)
def test_a_rule_for_make(text: str, paths: list[str]) -> None:
    assert read_depfile(text) == paths


SAID = """\
clang -cc1 version 14.0.6 based upon LLVM 14.0.6 default target x86_64-pc-linux-gnu
ignoring nonexistent directory "/usr/include/s390x-linux-gnu"
#include "..." search starts here:
#include <...> search starts here:
 /project/bpf/include
 /usr/include
End of search list.
# 1 "/dev/null"
"""


def test_the_folders_that_are_searched_and_those_that_would_be() -> None:
    assert search_folders(SAID) == ["/usr/include/s390x-linux-gnu", "/project/bpf/include", "/usr/include"]
    assert search_folders("nothing of the kind") == []


def test_where_a_compiler_looked_first(tmp_path: Path) -> None:
    case, first, second = (tmp_path / name for name in ("case", "first", "second"))
    for folder in (case, first, second, second / "bpf"):
        folder.mkdir()
    source = case / "a.c"
    source.write_text(
        '#include "both.h"\n#  include <bpf/x.h>\n#if __has_include("maybe.h")\n#endif\n'
        '#include "own.h"\n// #include "no"\n'
    )
    for path in (second / "both.h", second / "bpf/x.h", case / "own.h"):
        path.touch()
    found = set(looked_for([str(source)], [str(first), str(second)]))
    assert found == {
        *(f"{folder}/both.h" for folder in (case, first)),
        f"{first}/bpf/x.h",
        *(f"{folder}/maybe.h" for folder in (case, first, second)),
    }


def test_what_was_read_is_unchanged_until_a_byte_of_it_is_another(tmp_path: Path) -> None:
    header = tmp_path / "a.h"
    header.write_text("1")
    sight = Sight()
    known = Dependencies(files={str(header): str(sight.hash(str(header)))}, absent=(str(tmp_path / "b.h"),))
    assert Sight().unchanged(known)
    assert Dependencies.from_json(known.to_json()) == known
    (tmp_path / "b.h").symlink_to("nowhere")
    assert not Sight().unchanged(known), "clang would look into what is there now"
    (tmp_path / "b.h").unlink()
    header.write_text("2")
    assert not Sight().unchanged(known)
    assert sight.unchanged(known), "one sight is one moment"
    header.unlink()
    assert not Sight().unchanged(known)


def test_a_file_that_was_saved_with_an_old_time_of_its_own_is_new(tmp_path: Path) -> None:
    path = tmp_path / "a.h"
    path.touch()
    os.utime(path, ns=(1, 1))
    assert newer_than([str(path)], nanoseconds=2), "the time of its inode is now"
    assert not newer_than([str(path)], nanoseconds=2**63)
