"""How the objects of a case are made and opened: flags of clang, and the types of another kernel for CO-RE."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from projects import TemporaryProject, run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

KERNELS = ["5.10-x86_64", "6.12-x86_64"]
SOURCE = """\
#include "trace.h"
#ifndef VALUE
#define VALUE 1
#endif

SEC("raw_tp/task_rename")
int on_rename(void *ctx)
{
	trace_value(EVENT_TARGET, VALUE);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
"""
PLACE = 4096
OF_A_MEMBER = """\
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct { int tgid; };
#pragma clang attribute pop
#define VALUE __builtin_preserve_field_info(((struct task_struct *)0)->tgid, 0) /* BPF_FIELD_BYTE_OFFSET */
"""
TYPES = f"struct task_struct {{ char before[{PLACE}]; int tgid; }} task;\n"
TRIGGER = {"kind": "call", "name": "rename-task"}
SCENARIO = '''\
"""The types of another kernel, in Python."""


def scenario(guest):
    item = guest.open("prog.bpf.c")
    item.load()
    item.attach("on_rename")
    guest.trigger.call("rename-task")
    guest.expect_equal(item.map("trace").get(0)["value"], 4096, "the member is where the given types have it")
'''


def case(value: int, **keys: Any) -> dict[str, Any]:
    target = {"object": "prog.bpf.c", "attach": ["on_rename"]}
    observe = {"trace": [{"kind": "target", "value": value}]}
    return {"title": "a value", "target": target, "trigger": TRIGGER, "observe": observe, **keys}


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("sources")
    project = TemporaryProject(folder / "project", kernels=KERNELS)
    kernels_own = SOURCE.replace('#include "trace.h"\n', f'#include "trace.h"\n{OF_A_MEMBER}')
    cases = {
        "plain": (SOURCE, case(1)),
        "flags": (SOURCE, case(7, cflags=["-DVALUE=7", "-mcpu=v1"])),
        "flags-of-one": (SOURCE, case(8, cflags={"target": "-DVALUE=OTHER -Iown -include own.h"})),
        "other-types": (kernels_own, case(PLACE, btf="other.btf")),
        "own-types": (kernels_own, case(PLACE)),
        "types-in-python": (kernels_own, {"title": "types in Python", "btf": {"x86_64": "other.btf"}}),
    }
    (folder / "types.c").write_text(TYPES)
    for name, (source, keys) in cases.items():
        made = project.folder / "bpf" / name
        made.mkdir()
        (made / "prog.bpf.c").write_text(source)
        (made / "case.yaml").write_text(json.dumps(keys))
        made_of = ("clang", "-target", "bpfel", "-g", "-c", folder / "types.c", "-o", made / "other.btf")
        subprocess.run(made_of, check=True)
    (project.folder / "bpf/flags-of-one/own").mkdir()
    (project.folder / "bpf/flags-of-one/own/own.h").write_text("#define OTHER 8\n")
    (project.folder / "bpf/types-in-python/scenario.py").write_text(SCENARIO)
    done = run("matrix", "--matrix-file", project.matrix_file, "--results", folder / "r", seconds=600)
    report = json.loads((folder / "r/latest/report.json").read_text())
    assert report["cells"], done.output
    return {(cell["kernel"], cell["case"]): cell for cell in report["cells"]}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", ["plain", "flags", "flags-of-one"])
def test_a_source_is_compiled_with_the_cases_flags(kernel: str, name: str, cells: dict[tuple[str, str], Any]) -> None:
    assert cells[kernel, name]["verdict"] == "pass", cells[kernel, name]["reason"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", ["other-types", "types-in-python"])
def test_members_are_where_the_types_that_the_case_brings_have_them(
    kernel: str, name: str, cells: dict[tuple[str, str], Any]
) -> None:
    assert cells[kernel, name]["verdict"] == "pass", cells[kernel, name]["reason"]
    own = cells[kernel, "own-types"]
    assert (own["verdict"], own["outcome"]) == ("fail", "misbehaves"), "where the kernel has them is elsewhere"


def test_check_takes_types_of_another_kernel(tmp_path: Path) -> None:
    """No type of that name is in what is brought, and libbpf says so."""
    project = TemporaryProject(tmp_path / "project", kernels=["6.12-x86_64"])
    source = tmp_path / "prog.bpf.c"
    source.write_text(SOURCE.replace('#include "trace.h"\n', f'#include "trace.h"\n{OF_A_MEMBER}'))
    (tmp_path / "types.c").write_text("struct nothing { int x; } it;\n")
    subprocess.run(["clang", "-target", "bpfel", "-g", "-c", "types.c", "-o", "other.btf"], check=True, cwd=tmp_path)
    given = ("check", source, "--matrix-file", project.matrix_file, "--results", tmp_path / "r")
    assert run(*given).code == 0
    done = run(*given, "--btf", tmp_path / "other.btf")
    (cell,) = json.loads((tmp_path / "r/latest/report.json").read_text())["cells"]
    assert (done.code, cell["parts"][0]["outcome"], cell["parts"][0]["stage"]) == (1, "refused", "load-target")
    assert cell["parts"][0]["refusal"].startswith("co-re"), cell["parts"][0]
