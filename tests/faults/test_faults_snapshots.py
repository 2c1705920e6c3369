"""What befalls restored guests and their snapshots: the answers stay right, and the report says how they were got."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from faulty_guests import AGENT, SERVICE, faulty, prepare, with_program
from projects import FLAGSHIP, KERNEL, TemporaryProject, alive, guests, start, until

from harness.config.case_folders import load_case
from harness.facts.kernel import KernelFacts
from harness.guest.snapshots import Snapshots
from harness.guest.starting import Starter
from harness.host.cache import Cache
from harness.judge.cells import cells as cells_of
from harness.model.architectures import ARCHITECTURES
from harness.model.results import CellResult, OutcomeKind, Start, Verdict
from harness.qemu.accel import qemu_version
from harness.run.one_kernel import run_kernel
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan

pytestmark = pytest.mark.vm

GONE_SECONDS = 2.0


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[GuestPlan, tuple[Case, ...]]:
    """A plan whose `folder` is to be replaced, and its cases."""
    flagship = load_case(FLAGSHIP)
    written = [flagship.model_copy(update={"id": name}) for name in ("first", "second", "third")]
    return prepare(KERNEL, written, folder=tmp_path_factory.mktemp("unused"))


@pytest.fixture(scope="module")
def prepared(planned: tuple[GuestPlan, tuple[Case, ...]]) -> GuestPlan:
    return planned[0]


@pytest.fixture(scope="module")
def cases(planned: tuple[GuestPlan, tuple[Case, ...]]) -> tuple[Case, ...]:
    return planned[1]


@pytest.fixture(scope="module")
def sound(prepared: GuestPlan, tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """A cache with a sound snapshot of the kernel in it."""
    cache = Cache(tmp_path_factory.mktemp("sound"))
    snapshots_in(cache).obtain(dataclasses.replace(prepared, folder=tmp_path_factory.mktemp("making")))
    return cache


def snapshots_in(cache: Cache) -> Snapshots:
    return Snapshots(cache, qemu_version=qemu_version(ARCHITECTURES["x86_64"]))


@pytest.fixture
def cache(sound: Cache, tmp_path: Path) -> Cache:
    """A copy of that cache, to do harm to."""
    shutil.copytree(sound.root, tmp_path / "cache", copy_function=copied)
    return Cache(tmp_path / "cache")


def copied(source: str, target: str) -> None:
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


@pytest.fixture
def plan(prepared: GuestPlan, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GuestPlan]:
    """The plan with a folder of its own; whatever the guest came to, nothing of it is left."""
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    yield dataclasses.replace(prepared, folder=tmp_path / "kernel")
    assert not guests(os.getpid()), "a QEMU was left behind"
    assert not list(temporary.iterdir()), "a guest's temporary folder was left behind"


def run_on(plan: GuestPlan, cases: Sequence[Case], cache: Cache) -> tuple[KernelFacts, dict[str, CellResult]]:
    run = run_kernel(plan, cases, boot=Starter(snapshots_in(cache)))
    return run, {cell.case: cell for cell in cells_of(run, cases)}


def entries(cache: Cache) -> list[Path]:
    """Return what lies among the snapshots, half-made ones too."""
    return list((cache.root / "snapshots").iterdir()) if (cache.root / "snapshots").is_dir() else []


def assert_booted_instead(run: KernelFacts, cells: dict[str, CellResult], reason: str) -> None:
    assert {(cell.verdict, cell.start) for cell in cells.values()} == {(Verdict.PASS, Start.COLD)}
    assert len(run.notices) == 1, run.notices
    notice = run.notices[0]
    assert notice.startswith(f"{KERNEL}: ") and notice.endswith("; the guest was booted instead")
    assert reason in notice
    assert (run.boots, run.problems) == (1, ())


def test_a_sound_snapshot_is_restored(plan: GuestPlan, cases: Sequence[Case], cache: Cache) -> None:
    """What the others start from: without harm there is no fault."""
    run, cells = run_on(plan, cases, cache)
    assert {(cell.verdict, cell.start) for cell in cells.values()} == {(Verdict.PASS, Start.WARM)}
    assert run.notices == ()
    assert len(entries(cache)) == 1


def a_flipped_bit(entry: Path) -> None:
    """In a page of zeros: the guest itself does not notice, or much later."""
    with (entry / "ram").open("r+b") as ram:
        ram.seek(200 << 20)
        assert ram.read(1) == b"\0"
        ram.seek(200 << 20)
        ram.write(b"\x01")


def garbage_for_a_state(entry: Path) -> None:
    (entry / "state").write_bytes(os.urandom(100_000))


def half_a_state(entry: Path) -> None:
    with (entry / "state").open("r+b") as state:
        state.truncate((entry / "state").stat().st_size // 2)


def half_a_memory(entry: Path) -> None:
    with (entry / "ram").open("r+b") as ram:
        ram.truncate(64 << 20)


def no_memory_but_zeros(entry: Path) -> None:
    size = (entry / "ram").stat().st_size
    (entry / "ram").write_bytes(b"")
    os.truncate(entry / "ram", size)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (a_flipped_bit, "the snapshot was damaged on disk; it was removed"),
        (garbage_for_a_state, "the snapshot cannot be restored: QEMU ended with exit code 1"),
        (half_a_state, "the snapshot cannot be restored: QEMU ended with exit code 1"),
        (half_a_memory, "the snapshot"),
        (no_memory_but_zeros, "the snapshot"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_damaged_snapshot_is_found_and_removed_and_the_kernel_booted(
    harm: Callable[[Path], None], reason: str, plan: GuestPlan, cases: Sequence[Case], cache: Cache
) -> None:
    (entry,) = entries(cache)
    harm(entry)
    run, cells = run_on(plan, cases, cache)
    assert_booted_instead(run, cells, reason)
    assert "greeted" not in (plan.folder / "console.log").read_text(), "no guest runs with a wrong memory"
    assert entries(cache) == []


def test_a_killed_qemu_of_a_restored_guest_is_lost_and_its_signal_named(
    plan: GuestPlan, cases: Sequence[Case], tmp_path: Path
) -> None:
    """The other cases get another guest, which is restored too."""
    cache = Cache(tmp_path / "cache")
    plan = faulty(plan, "time.sleep(3600)")
    snapshots_in(cache).obtain(plan)
    lines = plan.folder / "agent.jsonl"
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(run_on, plan, cases, cache)

        def in_the_case() -> bool:
            assert not future.done(), f"the guest ended before it was harmed: {future.result()}"
            return lines.exists() and b'"type": "case", "case": "second"' in lines.read_bytes()

        until(in_the_case, what="the case `second` begins")
        (qemu,) = guests(os.getpid())
        os.kill(qemu, signal.SIGKILL)
        run, cells = future.result(timeout=120)
    second = cells["second"]
    assert (second.outcome.kind, second.verdict, second.start) == (OutcomeKind.LOST, Verdict.ERROR, Start.WARM)
    assert "QEMU was killed by SIGKILL" in second.outcome.reason
    assert [(cells[name].verdict, cells[name].start) for name in ("first", "third")] == [(Verdict.PASS, Start.WARM)] * 2
    assert (run.boots, run.notices) == (2, ())


FIRST_IMPORT = {SERVICE: ("import ctypes\n", "the guest was booting"), AGENT: ("import json\n", "the ")}
"""A statement of each of the guest's programs, and what QEMU's end is told to have come in, where it fails there."""


@pytest.mark.parametrize("program", FIRST_IMPORT)
def test_a_program_that_dies_before_the_snapshot_is_made_is_told_at_once(
    program: str, plan: GuestPlan, cases: Sequence[Case], tmp_path: Path
) -> None:
    """The service before it stands by; the agent when it is loaded, which may be while it is still being pushed."""
    statement, doing = FIRST_IMPORT[program]
    cache = Cache(tmp_path / "cache")
    plan = with_program(plan, program, old=statement, new="boom\n")
    run, cells = run_on(plan, cases[:1], cache)
    first = cells["first"]
    assert (first.outcome.kind, first.verdict, first.start) == (OutcomeKind.LOST, Verdict.ERROR, Start.COLD)
    assert "the agent ended without its completion marker" in first.outcome.reason
    assert f"no snapshot could be made: QEMU ended while {doing}" in run.notices[0]
    assert "NameError: name 'boom' is not defined" in (plan.folder / "console.log").read_text()
    assert sum(run.seconds.values()) < 200, "it must be noticed at once, not by a deadline"
    assert entries(cache) == []


@pytest.mark.parametrize(
    ("boom", "made"), [("boom", False), ("status == READY and boom", True)], ids=["at first", "once restored"]
)
def test_a_service_that_cannot_be_greeted_is_told_at_once(
    boom: str, made: bool, plan: GuestPlan, cases: Sequence[Case], tmp_path: Path
) -> None:
    """While its snapshot is made, or only after: what is restored from it never comes up, and it goes."""
    cache = Cache(tmp_path / "cache")
    plan = with_program(
        plan,
        SERVICE,
        old="        places.fill(json.loads(greeting(console, status)))\n",
        new=f"        line = greeting(console, status)\n        {boom}\n        places.fill(json.loads(line))\n",
    )
    if made:
        snapshots_in(cache).obtain(plan)
        assert len(entries(cache)) == 1
    run, cells = run_on(plan, cases[:1], cache)
    (notice,) = run.notices
    assert "ended at once" in notice
    assert (cells["first"].verdict, cells["first"].start) == (Verdict.PASS, Start.COLD)
    assert entries(cache) == []


# --- a whole run: a full disk, Ctrl-C ---------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> TemporaryProject:
    project = TemporaryProject(tmp_path / "project")
    project.case("works")
    return project


def own_snapshots(tmp_path: Path) -> Path:
    """A cache that shares with the user's all but the snapshots."""
    folder = tmp_path / "cache"
    folder.mkdir()
    for path in Cache().root.iterdir():
        if path.name not in ("snapshots", "locks"):
            (folder / path.name).symlink_to(path)
    (folder / "snapshots").mkdir()
    return folder


def environment_of(temporary: Path, cache: Path) -> dict[str, str]:
    return {"TMPDIR": str(temporary), "BPFMATRIX_CACHE": str(cache)}


def mounting() -> list[str]:
    """Return what runs a command with the right to mount, for itself alone; skips where nothing does."""
    for mount in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        tried = subprocess.run([*mount, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
        if tried.returncode == 0:
            return mount
    pytest.skip("neither root nor a user namespace may mount here")


@pytest.mark.parametrize("size", ["16m", "64k"])
def test_a_disk_that_fills_up_while_a_snapshot_is_made(
    project: TemporaryProject, tmp_path: Path, temporary: Path, size: str
) -> None:
    """The guest's memory outgrows the disk while it boots: QEMU dies by SIGBUS. The kernel is booted without."""
    cache = own_snapshots(tmp_path)
    left = tmp_path / "left"
    script = (
        f'mount -t tmpfs -o size={size} none {cache}/snapshots && "$@"; c=$?; find {cache}/snapshots >{left}; exit $c'
    )
    process = start(
        *("matrix", "--matrix-file", project.matrix_file, "--jobs", "1"),
        env=environment_of(temporary, cache),
        prefix=[*mounting(), "sh", "-c", script, "sh"],
    )
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    report = json.loads((project.folder / "results/latest/report.json").read_text())
    assert [(cell["verdict"], cell["start"]) for cell in report["cells"]] == [("pass", "cold")]
    (notice,) = report["run"]["notices"]
    assert notice.startswith(f"{KERNEL}: no snapshot could be made: ")
    assert notice.endswith("; the guest was booted instead")
    assert left.read_text().splitlines() == [f"{cache}/snapshots"], "something half-made was left"


@pytest.mark.parametrize(
    ("number", "moment"),
    [(signal.SIGINT, "booting"), (signal.SIGTERM, "booting"), (signal.SIGINT, "connected"), (signal.SIGINT, "pushed")],
)
def test_a_run_that_is_interrupted_while_a_snapshot_is_made_leaves_nothing(
    project: TemporaryProject, tmp_path: Path, temporary: Path, number: signal.Signals, moment: str
) -> None:
    cache = own_snapshots(tmp_path)
    process = start("matrix", "--matrix-file", project.matrix_file, "--jobs", "1", env=environment_of(temporary, cache))
    try:
        until(lambda: any(cache.glob("snapshots/.*/ram")) or process.poll() is not None, what="a snapshot is made")
        if moment != "booting":
            sign = {"connected": b"Child connection", "pushed": b"Pubkey auth succeeded"}[moment]
            until(
                lambda: (
                    any(sign in path.read_bytes() for path in temporary.glob("*/console")) or process.poll() is not None
                ),
                what=f"the guest is {moment}",
            )
        pids = guests(process.pid)
        assert pids
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
        until(lambda: not any(map(alive, pids)), seconds=GONE_SECONDS, what=f"QEMU processes {pids} are gone")
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 3, output
    assert "Traceback" not in output
    assert list((cache / "snapshots").iterdir()) == []
    assert not list(temporary.iterdir()), "temporary folders were left"
    report = json.loads((project.folder / "results/latest/report.json").read_text())
    assert [(cell["outcome"], cell["start"]) for cell in report["cells"]] == [("lost", None)], "its guest had started"
