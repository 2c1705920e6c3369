"""What is said of a header that clang does not find."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_samples import built, cases

from harness.errors import CompileError
from harness.supply.own.headers import what_is_missing

LOG = "{}/prog.bpf.c:3:10: fatal error: '{}' file not found\n#include \"it\"\n"


def project(folder: Path) -> Path:
    """A source in a folder of its own, beside one with headers."""
    source = folder / "progs/one/prog.bpf.c"
    source.parent.mkdir(parents=True)
    for header in ("include/own/types.h", "progs/headers/common.h", "headers/common.h"):
        (folder / header).parent.mkdir(parents=True, exist_ok=True)
        (folder / header).write_text("typedef int number;\n")
    return source


@pytest.mark.parametrize(
    ("header", "place"),
    [("common.h", "../headers"), ("own/types.h", "../../include"), ("types.h", ""), ("../one/x*.h", "")],
)
def test_the_folder_of_a_header_that_lies_near_is_named(tmp_path: Path, header: str, place: str) -> None:
    source = project(tmp_path)
    said = what_is_missing(LOG.format(source.parent, header), source=source, start=source.parent)
    there = f" (there is one in {place})" if place else ""
    wanted = f"{header} is not in the folders of headers{there}: name its folder in check.yaml, `include: "
    assert said == f"{wanted}[{place or 'FOLDER'}]`"


def test_another_error_is_nothing_of_a_header(tmp_path: Path) -> None:
    assert what_is_missing("a.c:1:1: error: unknown type name 'x'", source=tmp_path / "a.c", start=tmp_path) == ""


def test_a_function_that_newer_headers_have_is_named_with_the_age_of_those_here(tmp_path: Path) -> None:
    (tmp_path / "version.h").write_text("#define LIBBPF_MAJOR_VERSION 1\n#define LIBBPF_MINOR_VERSION 1\n")
    logs = (
        "a.c:1:2: warning: implicit declaration of function 'bpf_ksym_exists' is invalid [-W]\na.c:3:2: error: x",
        "a.c:1:2: error: call to undeclared function 'bpf_ksym_exists'; ISO C99 and later do not support implicit",
    )
    for log in logs:
        said = what_is_missing(log, source=tmp_path / "a.c", start=tmp_path, version=tmp_path / "version.h")
        assert said.startswith(
            "bpf_ksym_exists is in none of the headers that it includes; this machine's are of libbpf 1.1. Where newer"
        )
        said = what_is_missing(log, source=tmp_path / "a.c", start=tmp_path, version=tmp_path / "none.h")
        assert said.startswith("bpf_ksym_exists is in none of the headers that it includes. Where newer ones of libbpf")
    other = logs[0].replace("bpf_ksym_exists", "strlen")
    assert what_is_missing(other, source=tmp_path / "a.c", start=tmp_path) == ""


def test_instructions_of_newer_kernels_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clang that breaks down over them leaves nothing in the folder of temporary files."""
    source, temporary = tmp_path / "prog.bpf.c", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    head = '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nint seen;\nSEC("xdp") int it(void *c) '
    source.write_text(f"{head}{{ return __sync_val_compare_and_swap(&seen, 0, 1); }}\n")
    with pytest.raises(CompileError, match=r"say in check\.yaml `cflags: \[-mcpu=v3\]`") as caught:
        built(cases(source)[0], tmp_path)
    assert "PLEASE" not in caught.value.log
    assert list(temporary.iterdir()) == []
    (tmp_path / "check.yaml").write_text("cflags: [-mcpu=v3]\n")
    assert [part.name for part in built(cases(source)[0], tmp_path).parts] == ["it"]


def test_with_what_is_said_it_compiles(tmp_path: Path) -> None:
    source = project(tmp_path)
    text = '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n#include "common.h"\nSEC("xdp") int it(void *c) '
    source.write_text(f"{text}{{ number n = 2; return n; }}\n")
    with pytest.raises(CompileError, match=r"does not compile; common\.h is not in the folders of headers") as caught:
        built(cases(source)[0], tmp_path)
    assert "file not found" in caught.value.log
    (source.parent / "check.yaml").write_text("include: [../headers]\n")
    assert [part.name for part in built(cases(source)[0], tmp_path).parts] == ["it"]
