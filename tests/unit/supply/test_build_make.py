"""`make`: what it gets, how far it is, and what is wrong where it fails."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from harness.errors import EXIT_USAGE, KernelBuildError
from harness.model.architectures import ARCHITECTURES
from harness.supply.build.make import Maker, advice, deciding_line, make_argv, make_environment, target_of
from harness.supply.build.toolchain import toolchain

X86, ARM64 = ARCHITECTURES["x86_64"], ARCHITECTURES["arm64"]
GCC = "/src/net/core/filter.c:10:2: error: 'struct sock' has no member named 'sk_x'"
LOGS = {
    "a compiler's error is said before what follows of it": (
        f"  CC      net/core/filter.o\n/src/net/a.c:3:1: warning: unused\n{GCC}\n"
        "make[3]: *** [scripts/Makefile.build:250: net/core/filter.o] Error 1\nmake: *** [Makefile:2000: .] Error 2\n",
        GCC,
        "",
    ),
    "a header that is missing": (
        "scripts/sorttable.c\n/src/tools/x.c:9:10: fatal error: gelf.h: No such file or directory\nterminated.\n",
        "/src/tools/x.c:9:10: fatal error: gelf.h: No such file or directory",
        "libelf's headers are missing: apt-get install libelf-dev",
    ),
    "what the linker does not find": (
        "ld: vmlinux.o: in function `f':\nx.c:(.text+0x1): undefined reference to `missing_symbol'\nmake: *** [y]\n",
        "x.c:(.text+0x1): undefined reference to `missing_symbol'",
        "",
    ),
    "types that pahole and the kernel's tool do not agree on": (
        "  BTFIDS  vmlinux\nFAILED: load BTF from vmlinux: Invalid argument\nmake: *** [vmlinux] Error 255\n",
        "FAILED: load BTF from vmlinux: Invalid argument",
        "this pahole is too new or too old for these sources",
    ),
    "a program that is missing": (
        "  ZSTD22  arch/x86/boot/compressed/vmlinux.bin.zst\n/bin/sh: 1: zstd: not found\nmake[2]: *** [x] Error 127\n",
        "/bin/sh: 1: zstd: not found",
        "the kernel is to be packed by zstd: apt-get install zstd",
    ),
    "memory that has run out": (
        "gcc: fatal error: Killed signal terminated program cc1\ncompilation terminated.\n",
        "gcc: fatal error: Killed signal terminated program cc1",
        "memory may have run out: say fewer `jobs`",
    ),
    "a full disk": (
        "as: cannot write: No space left on device\nmake[4]: *** [a] Error 1\n",
        "as: cannot write: No space left on device",
        "free some space on the disk of the cache, or set BPFMATRIX_CACHE to another",
    ),
    "a word of the Makefile": (
        "***\n*** The source tree is not clean, please run 'make mrproper'\n*** in /src\nmake: *** [Makefile:600: x]\n",
        "*** The source tree is not clean, please run 'make mrproper'",
        "",
    ),
    "a linker that is missing, as the configuration says it": (
        "*** Default configuration is based on 'defconfig'\nscripts/Kconfig.include:40: linker 'ld.lld' not found\n"
        "make[3]: *** [/src/scripts/kconfig/Makefile:77: olddefconfig] Error 1\n",
        "scripts/Kconfig.include:40: linker 'ld.lld' not found",
        "",
    ),
    "only make's own": (
        "  CC      a.o\nmake: *** [Makefile:2: a.o] Error 1\nmake: Leaving directory\n",
        "make: *** [Makefile:2: a.o] Error 1",
        "",
    ),
    "none of these": ("one\n\nthe last words\n\n", "the last words", ""),
    "nothing": ("", "", ""),
}


@pytest.mark.parametrize("log", LOGS)
def test_the_line_that_decides_is_found_and_what_to_do_about_it(log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "debian"})
    text, line, help_ = LOGS[log]
    assert deciding_line(text) == line
    assert advice(line) == help_


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("  CC      kernel/bpf/core.o", "kernel/bpf/core.o"),
        ("  CC [M]  net/tls/tls_main.o", "net/tls/tls_main.o"),
        ("  BTF [M] net/tls/tls.ko", "net/tls/tls.ko"),
        ("  ZSTD22  arch/x86/boot/compressed/vmlinux.bin.zst", "arch/x86/boot/compressed/vmlinux.bin.zst"),
        ("make[1]: Entering directory '/x'", ""),
        ("kernel/x.c:1:1: warning: y", ""),
        ("", ""),
    ],
)
def test_a_line_of_the_output_says_which_file_it_is_about(line: str, target: str) -> None:
    assert target_of(line) == target


def argv(ccache: bool) -> list[str]:
    tools = toolchain(ARM64, compiler="gcc", cross_compile=None, host=X86)
    return make_argv("make", tree=Path("/src"), output=Path("/out"), arch=ARM64, tools=tools, ccache=ccache)


def test_make_builds_elsewhere_than_in_the_sources() -> None:
    assert argv(ccache=False) == [
        *("nice", "-n", "10", "make", "-C", "/src", "O=/out", "ARCH=arm64"),
        *("CROSS_COMPILE=aarch64-linux-gnu-", "CC=aarch64-linux-gnu-gcc", "HOSTCC=gcc", "LOCALVERSION="),
    ]


def test_ccache_stands_in_front_of_the_compilers() -> None:
    assert set(argv(ccache=True)) - set(argv(ccache=False)) == {
        "CC=ccache aarch64-linux-gnu-gcc",
        "HOSTCC=ccache gcc",
    }


def test_what_a_make_that_has_started_us_says_to_its_own_does_not_count() -> None:
    outside = {"PATH": "/bin", "HOME": "/root", "MAKEFLAGS": "-j8 V=1", "ARCH": "um", "CROSS_COMPILE": "x-", "O": "/o"}
    made = make_environment(outside, work=Path("/work"))
    assert {name: made[name] for name in ("PATH", "HOME", "CCACHE_BASEDIR")} == {
        "PATH": "/bin",
        "HOME": "/root",
        "CCACHE_BASEDIR": "/work",
    }
    assert not {"MAKEFLAGS", "ARCH", "CROSS_COMPILE", "O"} & made.keys()


def maker(folder: Path, script: str, *, stopping: threading.Event | None = None) -> tuple[Maker, list[str]]:
    """A `make` that is a script of the shell, which gets the targets, and what it said of its progress."""
    said: list[str] = []
    made = Maker(
        name="mine",
        base=["sh", "-c", script, "make"],
        environment=dict(os.environ),
        log=folder / "build.log",
        kept_log=folder / "kept/mine.log",
        progress=said.append,
        stopping=stopping or threading.Event(),
    )
    return made, said


def test_progress_is_how_many_files_and_the_last_one(tmp_path: Path) -> None:
    make, said = maker(tmp_path, 'echo "  CC      a.o"; echo "a.c: warning: x" >&2; echo "  LD      $1"')
    make("vmlinux", doing="compiling", seconds=60)
    assert said == ["compiling", "compiling: 1 files, a.o", "compiling: 2 files, vmlinux"]
    assert (tmp_path / "build.log").read_text() == "  CC      a.o\na.c: warning: x\n  LD      vmlinux\n"
    assert not (tmp_path / "kept").exists()


def test_a_build_that_fails_says_why_and_where_all_of_it_is(tmp_path: Path) -> None:
    make, _ = maker(tmp_path, f'echo "{GCC}"; exit 2')
    (tmp_path / "build.log").write_text("x.c:1:1: error: of a step before\n")
    with pytest.raises(KernelBuildError) as caught:
        make("vmlinux", doing="compiling", seconds=60)
    kept = tmp_path / "kept/mine.log"
    assert str(caught.value) == f"kernel mine cannot be built (compiling): {GCC}\n  The whole log: {kept}"
    assert kept.read_text() == f"x.c:1:1: error: of a step before\n{GCC}\n"
    assert caught.value.exit_code == EXIT_USAGE


def test_a_build_that_says_nothing_has_its_exit_code(tmp_path: Path) -> None:
    make, _ = maker(tmp_path, "exit 7")
    with pytest.raises(KernelBuildError, match="make ended with 7"):
        make(doing="compiling", seconds=60)


def test_a_build_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """Its output has an end only once nobody holds it any more."""
    make, _ = maker(tmp_path, "sleep 600 & sleep 600")
    with pytest.raises(KernelBuildError, match="it was not done after 0 minutes"):
        make(doing="compiling", seconds=0.01)


def test_a_build_that_is_ended_is_no_failure_of_the_sources(tmp_path: Path) -> None:
    make, _ = maker(tmp_path, "kill -9 $$")
    with pytest.raises(KernelBuildError, match=r"^the build of kernel mine was ended \(compiling\)$"):
        make(doing="compiling", seconds=60)
    assert not (tmp_path / "kept").exists()


def test_nothing_begins_once_all_is_to_end_and_what_runs_ends_with_its_next_line(tmp_path: Path) -> None:
    stopping = threading.Event()
    make, _ = maker(tmp_path, f"touch {tmp_path}/begun; echo one; exec sleep 600", stopping=stopping)
    stopping.set()
    with pytest.raises(KernelBuildError, match="was ended"):
        make(doing="compiling", seconds=60)
    assert not (tmp_path / "begun").exists()
    later, said = maker(
        tmp_path, 'echo "  CC      a.o"; echo "  CC      b.o"; exec sleep 600', stopping=threading.Event()
    )

    def stop(text: str) -> None:
        said.append(text)
        if text.endswith("a.o"):
            later.stopping.set()

    object.__setattr__(later, "progress", stop)
    with pytest.raises(KernelBuildError, match="was ended"):
        later(doing="compiling", seconds=60)
    assert said[-1] == "compiling: 1 files, a.o"
