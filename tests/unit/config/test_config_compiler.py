from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit_samples import written_case

from harness.config.case_folders import load_case
from harness.config.check import load_check
from harness.config.compiler import CFLAGS, REFUSED, flag_problems, flags_for, placed
from harness.errors import ConfigError

FINE = [
    "-DDEBUG",
    "-D",
    "LIMIT=3",
    "-mcpu=v3",
    "-Wno-unused",
    "-I",
    "a",
    "-Ib",
    "-include",
    "c.h",
    "-O1",
    "-g",
    "-U",
    "X",
]


def wrong(flags: object) -> list[tuple[Any, ...]]:
    return [(*loc, text) for loc, text in flag_problems(("cflags",), flags)]


def test_flags_that_bpfmatrix_relies_on_nothing_of_are_the_users_business() -> None:
    assert wrong(FINE) == []
    assert wrong(" ".join(FINE)) == []
    assert CFLAGS.endswith("start here.")


@pytest.mark.parametrize(
    ("flag", "why"),
    [
        *((flag, "for each architecture") for flag in ("-target", "--target=bpf", "-mlittle-endian", "-m32")),
        *((flag, "for each architecture") for flag in ("-D__TARGET_ARCH_x86", "-U__TARGET_ARCH_arm64")),
        *((flag, "and nothing else") for flag in ("-o", "-oother.o", "-c", "-E", "-S", "-xc++", "-emit-llvm")),
        *((flag, "and nothing else") for flag in ("-fsyntax-only", "-flto=thin", "-save-temps=obj", "--version", "-")),
        *((flag, "never older than they are") for flag in ("-MD", "-MF", "-M", "-Wp,-MD,x")),
        *((flag, "BTF, which is made of -g") for flag in ("-g0", "-gline-tables-only", "-gsplit-dwarf")),
        *((flag, "give the flags here") for flag in ("@flags", "--config=x.cfg")),
    ],
)  # fmt: skip
def test_a_flag_that_bpfmatrix_cannot_do_with_is_refused_with_the_reason(flag: str, why: str) -> None:
    found = wrong(["-DFIRST", flag])
    assert [each[:2] for each in found[:1]] == [("cflags", 1)]
    assert found[0][-1].startswith(flag) and (why in found[0][-1] or "is no flag" in found[0][-1])
    assert wrong(f"-DFIRST {flag}")[0][:1] == ("cflags",)


def test_what_is_no_flag_or_not_all_of_one_is_said() -> None:
    assert wrong(["-DA", "other.c"]) == [("cflags", 1, '"other.c" is no flag: clang would take it for another source')]
    assert wrong(["-I"]) == [("cflags", 0, "-I needs a word behind it")]
    assert wrong(["-D", "__TARGET_ARCH_x86"])[0][1] == 1
    assert wrong("-D'") == [] and wrong([1]) == [], "the model says what is wrong with these"
    assert len(REFUSED) > 4


def test_folders_and_headers_begin_where_the_flags_are_written(tmp_path: Path) -> None:
    (tmp_path / "mine.h").touch()
    flags = [
        "-Iown",
        "-I",
        "other",
        "-isystem/usr",
        "-include",
        "mine.h",
        "-include",
        "linux/bpf.h",
        "-D",
        "I",
        "-idirafterz",
    ]
    assert placed(flags, tmp_path) == (
        *(f"-I{tmp_path}/own", "-I", f"{tmp_path}/other", "-isystem/usr", "-include", f"{tmp_path}/mine.h"),
        *("-include", "linux/bpf.h", "-D", "I", f"-idirafter{tmp_path}/z"),
    )


def test_flags_are_for_all_sources_or_for_one_objects() -> None:
    files = {"target": "a.bpf.c", "tracer": "b.bpf.c"}
    assert flags_for("b.bpf.c", ["-DA"], files) == ("-DA",)
    assert flags_for("b.bpf.c", {"tracer": ["-DB"]}, files) == ("-DB",)
    assert flags_for("a.bpf.c", {"tracer": ["-DB"]}, files) == ()


def folder_of(tmp_path: Path, keys: Mapping[str, Any]) -> Path:
    folder = tmp_path / "case"
    folder.mkdir()
    for name in ("a.bpf.c", "b.bpf.c", "c.o", "old.btf"):
        (folder / name).touch()
    step = {"do": "load", "object": "first"}
    (folder / "case.yaml").write_text(
        yaml.safe_dump({"title": "t", "objects": {"first": "a.bpf.c"}, "steps": [step], **keys})
    )
    return folder


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"cflags": ["-o", "x"]}, "cflags[0]: -o cannot be given"),
        ({"cflags": {"first": ["-DA", "-c"]}}, "cflags.first[1]: -c cannot be given"),
        ({"cflags": {"frist": ["-DA"]}}, 'cflags.frist: the case has no object "frist"; did you mean "first"?'),
        ({"cflags": ["-DA"], "objects": {"first": "c.o"}}, "cflags: no object of this case is compiled"),
        ({"cflags": {"first": ["-DA"]}, "objects": {"first": "c.o"}}, "cflags.first: c.o is not compiled"),
        (
            {"cflags": {"first": ["-DA"]}, "objects": {"first": "a.bpf.c", "second": "a.bpf.c"}},
            "cflags.first: second is the same file with other flags",
        ),
        ({"cflags": "-D'"}, "cflags: cannot be taken apart into flags"),
        ({"cflags": 3}, "cflags: expected flags of clang"),
        ({"btf": "new.btf"}, "btf: there is no file new.btf in "),
        ({"btf": {"arm64": "new.btf"}}, "btf.arm64: there is no file new.btf in "),
        ({"btf": ["old.btf"]}, "btf: expected the name of a file in this folder"),
    ],
)
def test_a_mistake_in_a_case_names_its_place(tmp_path: Path, keys: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_case(folder_of(tmp_path, keys))
    assert f"case.yaml:{1}" in str(caught.value).replace(":2:", ":1:").replace(":3:", ":1:") or text in str(
        caught.value
    )
    assert text in str(caught.value)


def test_a_command_opens_its_objects_by_itself(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {})
    (folder / "case.yaml").write_text("title: t\ncommand: 'true'\ncflags: [-DA]\nbtf: old.btf\n")
    with pytest.raises(ConfigError) as caught:
        load_case(folder)
    assert 'case.yaml:3: cflags: not allowed beside "command"' in str(caught.value)
    assert 'case.yaml:4: btf: not allowed beside "command"' in str(caught.value)


def test_a_case_knows_the_flags_of_its_files_and_its_types_by_architecture(tmp_path: Path) -> None:
    keys = {"cflags": {"first": "-DA -Ih"}, "btf": {"arm64": "old.btf", "x86_64": "a.bpf.c"}}
    case = load_case(folder_of(tmp_path, keys))
    assert case.flags_of("a.bpf.c") == ("-DA", f"-I{tmp_path}/case/h")
    assert (case.for_arch("arm64").btf_file, case.for_arch("x86_64").btf_file) == ("old.btf", "a.bpf.c")
    assert case.btf_file == "old.btf", "the first, as long as nobody says for which architecture"
    with pytest.raises(Exception, match="btf has no file for s390x"):
        case.for_arch("s390x")
    assert written_case().btf_file == ""


def test_a_check_yaml_is_read_by_the_same_rules(tmp_path: Path) -> None:
    (tmp_path / "check.yaml").write_text("cflags: -DA -DB\nbtf: {arm64: x}\n")
    assert load_check(tmp_path / "check.yaml")[0].cflags == ("-DA", "-DB")
    (tmp_path / "check.yaml").write_text("rodata: {a: 1}\ncflags: [-DA, -target]\n")
    with pytest.raises(ConfigError, match=r"check.yaml:2: cflags\[1\]: -target cannot be given"):
        load_check(tmp_path / "check.yaml")
