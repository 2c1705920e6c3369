"""Objects made for other loaders than libbpf, as Debian has them: Go's (bpf2go), Rust's (libbpf-rs), older ones.

The packages are fetched when the test runs, and nothing of them is kept. docs/check.md says what is behind refusals.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from projects import TemporaryProject, run

from harness.host.cache import Cache, default_root
from harness.supply.debian.archive import MirroredArchive
from harness.supply.debian.mirrors import find_mirrors

pytestmark = [pytest.mark.vm, pytest.mark.nightly, pytest.mark.timeout(1800)]

KERNELS = ("5.10-x86_64", "6.12-x86_64")
GO = "usr/share/gocode/src/github.com/cilium/ebpf"
"""The loader's own test data, in some of it sections that libbpf does not know (`socket/tail`, `socket_filter/...`)."""
PACKAGES = {
    "golang-github-cilium-ebpf-dev": [f"{GO}/{folder}testdata/*-el.elf" for folder in ("", "btf/", "cmd/bpf2go/")],
    "opensnitch-ebpf-modules": ["usr/lib/opensnitchd/ebpf/*.o"],
    "bpftop": ["usr/*bin/bpftop"],
    "pwru": ["usr/bin/pwru"],
}
"""Packages of trixie, and what of them is checked: objects, and programs that carry them."""
NO_PROGRAM = ("invalid_btf_map_init", "invalid_map", "iproute2_map_compat", "map_spin_lock")
WORK = ("btf_map_init", "freplace", "raw_tracepoint", "strings", "minimal", "bpftop")
REFUSED = {
    **dict.fromkeys(("manyprogs", "subprog_reloc", "invalid_map_static"), "legacy-maps"),
    **dict.fromkeys(("opensnitch", "opensnitch-dns", "opensnitch-procs"), "legacy-maps"),
    **dict.fromkeys(("loader-clang-9", "loader-clang-14"), "static-program"),
    **dict.fromkeys(("invalid-kfunc", "kfunc", "kfunc-kmod"), "kernel-symbol-absent"),
    **dict.fromkeys(("relocs", "relocs_read"), "co-re-absent"),
    "fwd_decl": "extern-without-type",
}
"""The only class of refusals in a cell; the kernel, or the object, is behind each."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loaders")


@pytest.fixture(scope="module")
def unpacked(folder: Path) -> Path:
    """A folder for each package, with its files."""
    mirrors = find_mirrors({})
    archive = MirroredArchive(cache=Cache(default_root()), mirrors=lambda: mirrors)
    with archive.index("trixie", "amd64") as index:
        found = index.show(PACKAGES)
    for name in PACKAGES:
        file = archive.fetch(found[name][0].package, folder)
        subprocess.run(["dpkg-deb", "-x", file, folder / name], check=True)
    return folder


@pytest.fixture(scope="module")
def cells(unpacked: Path) -> dict[tuple[str, str], dict[str, Any]]:
    project = TemporaryProject(unpacked / "project", kernels=KERNELS)
    patterns = {name: globs for name, globs in PACKAGES.items() if name != "pwru"}
    files = [
        path for name, globs in patterns.items() for glob in globs for path in sorted((unpacked / name).glob(glob))
    ]
    matrix = ("--matrix-file", project.matrix_file, "--results", unpacked / "r")
    done = run("check", *(path for path in files if not path.is_symlink()), *matrix, seconds=900)
    assert (unpacked / "r/latest/report.json").exists(), done.output
    report = json.loads((unpacked / "r/latest/report.json").read_text())
    return {(cell["kernel"], cell["case"]): cell for cell in report["cells"]}


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_of_them_works(kernel: str, cells: dict[tuple[str, str], Any]) -> None:
    assert {name: cells[kernel, name]["verdict"] for name in WORK} == dict.fromkeys(WORK, "pass")


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_of_them_is_refused_has_the_class_that_says_why(kernel: str, cells: dict[tuple[str, str], Any]) -> None:
    found = {
        name: {part["refusal"] for part in cells[kernel, name]["parts"] if part["outcome"] == "refused"}
        for name in REFUSED
    }
    assert found == {name: {refusal} for name, refusal in REFUSED.items()}


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_object_without_a_program_is_said_to_be_one(kernel: str, cells: dict[tuple[str, str], Any]) -> None:
    for name in NO_PROGRAM:
        assert "has no program" in cells[kernel, name]["reason"]
    others = {name for of, name in cells if of == kernel} - {*WORK, *REFUSED, *NO_PROGRAM}
    assert {name for name in others if cells[kernel, name]["outcome"] == "refused"} == set()


CHOSEN = """
programs: [kprobe_skb_1, kprobe_skb_2, kprobe_skb_lifetime_termination, fexit_skb_copy]
attach-to: {kprobe_skb_1: ip_rcv, kprobe_skb_2: ip_finish_output, kprobe_skb_lifetime_termination: consume_skb}
"""
LACKED: dict[str, list[list[str]]] = {
    "5.10-x86_64": [[], ["helper-missing"], ["instruction-unknown"], ["instruction-unknown"]],
    "6.12-x86_64": [[], [], [], []],
}
"""What of its four objects is refused: bpf_get_func_ip() is in 5.15 and later, atomic additions that return in 5.12."""


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_a_loader_written_in_go_chooses_can_be_said(kernel: str, unpacked: Path) -> None:
    """The sections (`kprobe/skb-1`) name no function: the loader looks for all that take a packet."""
    project = TemporaryProject(unpacked / f"project-{kernel}", kernels=[kernel])
    (unpacked / "chosen.yaml").write_text(CHOSEN)
    matrix = ("--matrix-file", project.matrix_file, "--results", unpacked / f"r-{kernel}")
    program = unpacked / "pwru/usr/bin/pwru"
    done = run("check", program, "--config", unpacked / "chosen.yaml", *matrix, seconds=600)
    report = json.loads((unpacked / f"r-{kernel}/latest/report.json").read_text())
    refused = [{part["refusal"] for part in cell["parts"] if part["refusal"]} for cell in report["cells"]]
    assert sorted(map(sorted, refused)) == LACKED[kernel], done.output[-3000:]
    verdicts = {cell["verdict"] for cell, classes in zip(report["cells"], refused, strict=True) if not classes}
    assert verdicts == {"pass"}
