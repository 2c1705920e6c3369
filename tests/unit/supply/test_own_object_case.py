"""An object as a case: the file for each architecture, and mistakes that are said before any guest starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_samples import SOURCE, builder_in, built, cases, file_for, parts, put
from unit_samples import X86

from harness.errors import (
    BuildError,
    CompileError,
    ConfigError,
    ObjectFileError,
)
from harness.model.architectures import ARCHITECTURES
from harness.supply.dependencies import Sight


def test_objects_of_several_architectures_are_one_case(tmp_path: Path) -> None:
    little = put(tmp_path / "o", "little", "my_x86_bpfel.o", "my_arm64_bpfel.o", "other_x86_bpfel.o")
    big = put(tmp_path / "o", "big", "my_s390_bpfeb.o")
    (case,) = cases(little[0], big[0])
    assert case.id == "my"
    found = {name: file_for(case, tmp_path, name) for name in ("x86_64", "arm64", "s390x")}
    assert found == {"x86_64": "my_x86_bpfel.o", "arm64": "my_arm64_bpfel.o", "s390x": "my_s390_bpfeb.o"}
    with pytest.raises(ObjectFileError, match=r"has no my for riscv64 .*it has my_arm64_bpfel.o, .*leave riscv64 out"):
        built(case, tmp_path, ARCHITECTURES["riscv64"])


def test_one_of_a_byte_order_is_for_all_architectures_of_it(tmp_path: Path) -> None:
    put(tmp_path, "little", "my_bpfel.o", "my_x86_bpfel.o")
    put(tmp_path, "big", "my_bpfeb.o")
    (case,) = cases(tmp_path / "my_bpfel.o")
    names = {arch: file_for(case, tmp_path, arch) for arch in ("x86_64", "arm64", "s390x")}
    assert names == {"x86_64": "my_x86_bpfel.o", "arm64": "my_bpfel.o", "s390x": "my_bpfeb.o"}


def test_an_object_of_the_other_byte_order_is_said(tmp_path: Path) -> None:
    (path,) = put(tmp_path, "big", "my.o")
    with pytest.raises(ObjectFileError, match="big-endian BPF object, but x86_64 is little-endian"):
        built(cases(path)[0], tmp_path)


def test_flags_and_headers_of_a_source(tmp_path: Path) -> None:
    (tmp_path / "headers").mkdir()
    (tmp_path / "headers/far.h").write_text("#define FAR 1\n")
    (tmp_path / "one.bpf.c").write_text(f"#include <far.h>\n#ifdef ON\n{SOURCE}\n#endif\n")
    with pytest.raises(CompileError, match=r"far\.h"):
        built(cases(tmp_path / "one.bpf.c")[0], tmp_path)
    (tmp_path / "check.yaml").write_text("include: [headers]\ncflags: [-DON]\n")
    assert parts(built(cases(tmp_path / "one.bpf.c")[0], tmp_path)) == ["pass_all"]


def test_types_of_another_kernel_go_along(tmp_path: Path) -> None:
    (path,) = put(tmp_path, "little", "my.bpf.o")
    assert built(cases(path)[0], tmp_path).btf == ""
    (tmp_path / "check.yaml").write_text("btf: my.bpf.o\n")
    made = cases(path)[0].build(builder_in(tmp_path), X86, sight=Sight())
    assert made.files[made.case.btf] == path
    given = cases(path, btf=path.relative_to(tmp_path))[0]
    with pytest.raises(ObjectFileError, match=r"my.bpf.o cannot be read: No such file"):
        built(given, tmp_path)  # an option's file is looked for where the command is run, not beside check.yaml
    (tmp_path / "check.yaml").write_text("rodata: {wanted: 1}\nbtf: {arm64: my.bpf.o}\n")
    with pytest.raises(ObjectFileError, match=r"check.yaml:2: btf: has no file for x86_64 \(it has: arm64\)"):
        built(cases(path)[0], tmp_path)


def test_names_that_are_not_there_are_said_with_their_place(tmp_path: Path) -> None:
    (path,) = put(tmp_path, "little", "my.bpf.o")
    (tmp_path / "check.yaml").write_text("# mine\nautoload: {latr: true}\n")
    with pytest.raises(ConfigError, match=r'check.yaml:2: autoload.latr: .* did you mean "later"') as caught:
        built(cases(path, programs=["pas_all"], rodata=["wantd=1"])[0], tmp_path)
    said = str(caught.value).splitlines()
    assert '--program pas_all: the object has no program "pas_all"; did you mean "pass_all"?' in said[0]
    assert any(line.startswith("--rodata wantd=1: the object has no global variable") for line in said)


def test_nothing_to_try(tmp_path: Path) -> None:
    (path,) = put(tmp_path, "little", "my.bpf.o")
    (tmp_path / "check.yaml").write_text("autoload: {pass_all: false}\n")
    with pytest.raises(ObjectFileError, match=r"all programs of .* are off \(pass_all, later\).*--program"):
        built(cases(path)[0], tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/none.bpf.c").write_text("int x;\n")
    with pytest.raises(BuildError, match="has no program"):
        built(cases(tmp_path / "own/none.bpf.c")[0], tmp_path)
