"""Bad input and a failing host, each from the command line: one clear message, the right exit code, nothing left."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from projects import KERNEL, ROOT, Done, TemporaryProject, run

from harness.config.matrix import load_matrix
from harness.host.cache import TAG, Cache, verified
from harness.model.architectures import ARCHITECTURES
from harness.supply.project import Project
from harness.supply.supplies import Supplies

ENTRIES = ("kernels", "images", "objects")


class Bench:
    """A project, an empty cache and a folder for temporary files, and the command line run with them."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        self.project = TemporaryProject(folder / "project")
        self.case = self.project.case("works")
        self.cache = folder / "cache"
        self.temporary = temporary

    def matrix(self, *arguments: str | Path, env: Mapping[str, str] | None = None, **more: Any) -> Done:
        """Run the matrix (under TCG: an accelerator that was never probed here would be)."""
        variables = {"BPFMATRIX_CACHE": str(self.cache), "TMPDIR": str(self.temporary), **(env or {})}
        arguments = ("matrix", "--matrix-file", self.project.matrix_file, "--accel", "tcg", *arguments)
        done = run(*arguments, env=variables, **more)
        assert "Traceback" not in done.output, done.output
        assert not list(self.temporary.iterdir()), "temporary files were left"
        return done

    def lock(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Give the project a matrix.lock of its own, in which `change` has changed the kernel's entry."""
        path = self.project.folder / "matrix.lock"
        data = yaml.safe_load(path.read_text())
        change(data["kernels"][KERNEL])
        path.unlink()
        path.write_text(yaml.safe_dump(data))

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.project.folder / "results/latest/report.json").read_text())
        return found

    def cached(self, kind: str) -> list[str]:
        """Return the entries of the cache, each of which must be whole."""
        found = [path for path in (self.cache / kind).glob("*") if path.is_dir()]
        broken = [path for path in found if verified(path) is None]
        assert not broken, f"half-written: {broken}"
        return [path.name for path in found]

    def assert_refused(self, done: Done, code: int, message: str) -> None:
        """The command ended before any guest or report, with its message once, and with nothing kept."""
        assert done.code == code, done.output
        assert done.output.startswith("bpfmatrix: "), done.output
        assert done.output.count(message) == 1, done.output
        assert not (self.project.folder / "results").exists()
        assert self.cached("kernels") == self.cached("images") == []

    def assert_unbuilt(self, done: Done, message: str) -> None:
        """The only case cannot be built: exit code 2, its cell is an error that says why, and no kernel is fetched."""
        assert done.code == 2, done.output
        assert message in done.output
        (cell,) = self.report()["cells"]
        assert (cell["verdict"], cell["stage"], cell["wrong_input"]) == ("error", "build", True)
        assert message in cell["reason"] + cell["log"]
        assert self.cached("kernels") == self.cached("images") == []

    def assert_lost(self, done: Done, message: str) -> None:
        """The kernel could not be had: exit code 3, its cell is lost and says why, and nothing is kept of it."""
        assert done.code == 3, done.output
        _, causes = done.output.split("\n1. ")
        assert causes.count(message) == 1, done.output
        (cell,) = self.report()["cells"]
        assert (cell["outcome"], cell["verdict"]) == ("lost", "error")
        assert message in cell["reason"]
        assert self.cached("kernels") == self.cached("images") == []


@pytest.fixture
def bench(tmp_path: Path, temporary: Path) -> Bench:
    return Bench(tmp_path, temporary)


@pytest.fixture
def mirror() -> Iterator[Callable[[str, bytes, int], dict[str, str]]]:
    """A mirror on this machine: call it with (file, content, length to announce); it returns the environment."""
    files: dict[str, tuple[bytes, int]] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content, length = files.get(self.path.removeprefix("/debian/"), (b"", -1))
            self.send_response(200 if length >= 0 else 404)
            self.send_header("Content-Length", str(max(length, 0)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # apt hangs up where its disk is full
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/debian"

        def offer(name: str, content: bytes, length: int) -> dict[str, str]:
            if name:
                files[name] = (content, length)
            return {"BPFMATRIX_DEBIAN_MIRROR": address, "no_proxy": "127.0.0.1"}

        yield offer
        server.shutdown()


PACKAGE = "pool/main/l/linux/linux-image-6.1-test_1_amd64.deb"


def offering(content: bytes) -> Callable[[dict[str, Any]], None]:
    """Return a change of the lock: the kernel is one package, PACKAGE, of this content."""

    def change(entry: dict[str, Any]) -> None:
        entry["packages"] = [
            {
                **entry["packages"][0],
                "file": PACKAGE,
                "sha256": hashlib.sha256(content).hexdigest(),
                "size": len(content),
            }
        ]

    return change


# --- the user's own mistakes: exit code 2 ----------------------------------------------------------------------


def test_an_unknown_key(bench: Bench) -> None:
    bench.project.matrix["defaults"]["memroy"] = 512
    bench.project.write_matrix()
    done = bench.matrix()
    bench.assert_refused(done, 2, "memroy")
    line = bench.project.matrix_file.read_text().splitlines().index("  memroy: 512") + 1
    assert f"matrix.yaml:{line}:" in done.output
    assert '"memory"' in done.output


def test_an_unknown_key_of_a_case(bench: Bench) -> None:
    path = bench.case / "case.yaml"
    path.write_text(path.read_text() + "observes: {}\n")
    bench.assert_refused(bench.matrix(), 2, "observes")


def test_an_unknown_kernel(bench: Bench) -> None:
    done = bench.matrix("--kernel", "6.11-x86_64")
    bench.assert_refused(done, 2, 'no kernel matches "6.11-x86_64"')
    assert KERNEL in done.output


def test_an_unknown_case(bench: Bench) -> None:
    bench.assert_refused(bench.matrix("--case", "wokrs"), 2, 'no case matches "wokrs"')


def test_no_matrix_file(bench: Bench) -> None:
    bench.project.matrix_file.unlink()
    bench.assert_refused(bench.matrix(), 2, "matrix.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"#!/bin/sh\nexit 0\n", "is not a kernel for x86_64"),
        (b"", "is not a kernel for x86_64"),
        (None, "No such file"),
    ],
    ids=["script", "empty", "missing"],
)
def test_a_path_kernel_that_is_none(bench: Bench, content: bytes | None, message: str) -> None:
    image = bench.project.folder / "bzImage"
    if content is not None:
        image.write_bytes(content)
    bench.project.matrix["kernels"] = [{"name": "mine", "arch": "x86_64", "source": "path", "image": "bzImage"}]
    bench.project.write_matrix()
    done = bench.matrix()
    bench.assert_refused(done, 2, message)
    assert str(image) in done.output


def test_a_source_that_does_not_compile(bench: Bench) -> None:
    source = bench.case / "tracer.bpf.c"
    source.write_text(source.read_text().replace("EVENT_FEXIT", "EVENT_FEXTI"))
    done = bench.matrix()
    bench.assert_unbuilt(done, "error: use of undeclared identifier 'EVENT_FEXTI'")
    assert f"{source} does not compile" in done.output
    line = next(n for n, text in enumerate(source.read_text().splitlines(), 1) if "EVENT_FEXTI" in text)
    assert f"tracer.bpf.c:{line}:" in done.output, "where clang says it is"
    assert len(bench.cached("objects")) == 1, "only the target's object"


def test_a_program_that_no_object_has(bench: Bench) -> None:
    case = bench.case / "case.yaml"
    case.write_text(case.read_text().replace("- k_tcp_connect\n", "- k_tcp_conect\n"))
    line = next(n for n, text in enumerate(case.read_text().splitlines(), 1) if "k_tcp_conect" in text)
    message = 'target.attach[0]: target.bpf.c has no program "k_tcp_conect"; did you mean "k_tcp_connect"?'
    bench.assert_refused(bench.matrix(), 2, f"case.yaml:{line}: {message}")


def test_an_object_that_is_no_elf(bench: Bench) -> None:
    (bench.case / "tracer.bpf.o").write_text("not an object\n")
    case = bench.case / "case.yaml"
    case.write_text(case.read_text().replace("tracer.bpf.c", "tracer.bpf.o"))
    bench.assert_unbuilt(bench.matrix(), "tracer.bpf.o is not a BPF object: it is no ELF file")


def test_an_object_for_another_machine(bench: Bench) -> None:
    shutil.copyfile("/proc/self/exe", bench.case / "tracer.bpf.o")
    case = bench.case / "case.yaml"
    case.write_text(case.read_text().replace("tracer.bpf.c", "tracer.bpf.o"))
    bench.assert_unbuilt(bench.matrix(), "not for BPF")


# --- the host lacks something: exit code 3 ---------------------------------------------------------------------


def test_no_qemu(bench: Bench, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for folder in reversed(os.get_exec_path()):
        for tool in Path(folder).glob("*"):
            link = tools / tool.name
            link.unlink(missing_ok=True)
            if not tool.name.startswith("qemu-system-"):
                link.symlink_to(tool)
    done = bench.matrix(env={"PATH": str(tools)})
    bench.assert_refused(done, 3, "qemu-system-x86_64 is not installed")
    assert "apt-get install qemu-system-x86" in done.output


def test_no_mirror(bench: Bench, tmp_path: Path) -> None:
    config = tmp_path / "apt.conf"
    config.write_text('Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "/dev/null";\n')
    environment = {"APT_CONFIG": str(config), "BPFMATRIX_DEBIAN_MIRROR": ""}
    bench.assert_lost(bench.matrix(env=environment), "no mirror of the debian archive is known")
    assert "Set BPFMATRIX_DEBIAN_MIRROR" in bench.report()["cells"][0]["reason"]


def test_an_unreachable_mirror(bench: Bench) -> None:
    done = bench.matrix(env={"BPFMATRIX_DEBIAN_MIRROR": "http://127.0.0.1:9/debian"}, seconds=60)
    bench.assert_lost(done, "the mirror of the debian archive cannot be reached")


def test_a_pinned_package_that_is_gone_under_locked(
    bench: Bench, mirror: Callable[[str, bytes, int], dict[str, str]]
) -> None:
    bench.lock(offering(b"gone"))
    done = bench.matrix("--locked", env=mirror("", b"", 0))
    bench.assert_lost(done, "the mirror no longer has")
    reason = bench.report()["cells"][0]["reason"]
    assert PACKAGE in reason
    assert "--locked" in reason


def test_a_package_with_another_content(bench: Bench, mirror: Callable[[str, bytes, int], dict[str, str]]) -> None:
    wanted, found = b"what the lock says" * 99, b"what a mirror gives" * 99
    bench.lock(offering(wanted))
    done = bench.matrix(env=mirror(PACKAGE, found, len(found)))
    bench.assert_lost(done, "could not be fetched")
    assert "Hash Sum mismatch" in done.output


def test_a_package_that_breaks_off(bench: Bench, mirror: Callable[[str, bytes, int], dict[str, str]]) -> None:
    content = os.urandom(200_000)
    bench.lock(offering(content))
    bench.assert_lost(bench.matrix(env=mirror(PACKAGE, content[:100_000], len(content))), "could not be fetched")


def test_a_package_that_is_no_package(bench: Bench, mirror: Callable[[str, bytes, int], dict[str, str]]) -> None:
    content = b"the right hash, and yet no package"
    bench.lock(offering(content))
    done = bench.matrix(env=mirror(PACKAGE, content, len(content)))
    assert done.code == 3, done.output
    assert bench.cached("kernels") == []


def mounting() -> list[str] | None:
    """Return what runs a command with the right to mount, for itself alone; None where nothing does."""
    for mount in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        tried = subprocess.run([*mount, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
        if tried.returncode == 0:
            return mount
    return None


ON_A_SMALL_DISK = """\
disk=$1 size=$2 left=$3
shift 3
mount -t tmpfs -o size="$size" none "$disk" || exit 99
"$@"
code=$?
find "$disk" -type f -not -path '*/locks/*' >"$left"
exit $code
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Callable[[Path, str], list[str | Path]]:
    """Return a function: what to put before a command so that a folder is a disk of this size for it.

    What is left on that disk afterwards is listed in the file `left`.
    """
    mount = mounting()
    if mount is None:
        pytest.skip("neither root nor a user namespace may mount here")

    def prefix(folder: Path, size: str) -> list[str | Path]:
        folder.mkdir(exist_ok=True)
        return [*mount, "sh", "-c", ON_A_SMALL_DISK, "sh", folder, size, tmp_path / "left"]

    return prefix


def test_a_disk_that_fills_up_while_fetching(
    bench: Bench,
    mirror: Callable[[str, bytes, int], dict[str, str]],
    small_disk: Callable[[Path, str], list[str | Path]],
    tmp_path: Path,
) -> None:
    content = bytes(24_000_000)
    bench.lock(offering(content))
    done = bench.matrix(env=mirror(PACKAGE, content, len(content)), prefix=small_disk(bench.cache, "8m"))
    bench.assert_lost(done, "No space left on device")
    left = [Path(line).relative_to(bench.cache).parts[0] for line in (tmp_path / "left").read_text().split()]
    assert set(left) <= {"objects", "dependencies", "limit", "users.lock", TAG}, left


def test_a_disk_that_is_full_when_the_guest_is_made(
    bench: Bench, small_disk: Callable[[Path, str], list[str | Path]]
) -> None:
    """The kernel and the image come from the user's cache; the guest's initramfs does not fit."""
    bench.cache = Cache().root
    done = bench.matrix("--cold", prefix=small_disk(bench.temporary, "2m"))  # a restored guest needs none
    assert done.code == 3, done.output
    assert "the guest's kernel and initramfs cannot be written" in done.output
    assert "No space left on device" in done.output
    assert bench.report()["cells"][0]["outcome"] == "lost"


# --- what fixes itself: the run passes, and says what it did ----------------------------------------------------


@pytest.mark.vm
def test_a_damaged_kernel_is_fetched_again(bench: Bench) -> None:
    matrix = load_matrix(ROOT / "matrix.yaml")
    kernel = next(kernel for kernel in matrix.kernels if kernel.name == KERNEL)
    supplies = Supplies(Project(matrix_file=ROOT / "matrix.yaml"), matrix, cache=Cache())
    files = supplies.kernel(kernel, cases=())
    if files.notice:
        pytest.skip(f"not the pinned package, so it cannot be fetched again: {files.notice}")
    entries = [
        files.image.parent,
        supplies.base(ARCHITECTURES[kernel.arch]).parent,
    ]
    for entry in entries:
        shutil.copytree(entry, bench.cache / entry.relative_to(Cache().root))
    image = bench.cache / entries[0].relative_to(Cache().root) / "vmlinuz"
    whole = image.read_bytes()
    half = len(whole) // 2
    image.write_bytes(whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :])
    done = bench.matrix()
    assert done.code == 0, done.output
    notice = f"{KERNEL}: damaged in the cache, fetched again"
    assert done.output.count(notice) == 1, done.output
    report = bench.report()
    assert notice in report["run"]["notices"]
    assert [cell["verdict"] for cell in report["cells"]] == ["pass"]
    assert image.read_bytes() == whole
    assert len(bench.cached("kernels")) == len(bench.cached("images")) == 1


@pytest.mark.vm
def test_a_pinned_package_that_is_gone_is_replaced_with_a_notice(bench: Bench) -> None:
    """The suite's index is fetched; the current kernel is the pinned one under its right name, so it is cached."""

    def rename(entry: dict[str, Any]) -> None:
        entry["version"] = "6.1.0-0"
        entry["packages"] = [
            {**package, "file": package["file"].replace(".deb", ".gone.deb"), "sha256": "0" * 64}
            for package in entry["packages"]
        ]

    bench.cache = Cache().root
    bench.lock(rename)
    done = bench.matrix()
    assert done.code == 0, done.output
    notice = f"{KERNEL}: bookworm no longer has the pinned 6.1.0-0"
    assert done.output.count(notice) == 1, done.output
    report = bench.report()
    assert any(notice in each for each in report["run"]["notices"])
    assert [cell["verdict"] for cell in report["cells"]] == ["pass"]
