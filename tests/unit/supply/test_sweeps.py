"""One entry that stands for several builds: which ones, in which order, and what its rows are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from source_worlds import MemoryArchive, no_mirrors

from harness.config.matrix import DebianKernel, Matrix
from harness.errors import ConfigError, PackageGoneError
from harness.host.cache import Cache
from harness.supply.debian.apt import PackageFile
from harness.supply.debian.resolve import Index
from harness.supply.kernels.debian import DebianSource
from harness.supply.kernels.source import SourceContext
from harness.supply.lock import KernelPin, Lock, SweepPin, SweptRow, read_lock, write_lock
from harness.supply.sweeps import Swept, expanded, sweep_builds


class Suites:
    """Archives by suite, each with packages of its own."""

    def __init__(self, **suites: MemoryArchive) -> None:
        self._suites = suites

    @contextlib.contextmanager
    def index(self, suite: str, architecture: str) -> Iterator[Index]:
        with self._suites[suite].index(suite, architecture) as index:
            yield index

    def has(self, package: PackageFile) -> bool:
        return any(archive.has(package) for archive in self._suites.values())

    def fetch(self, package: PackageFile, folder: Path) -> Path:
        raise NotImplementedError


def archive(*versions: str, flavours: tuple[str, ...] = ("cloud-amd64",)) -> MemoryArchive:
    """A suite with these builds; one of a version is the same file in whichever suite it is."""
    made = MemoryArchive()
    for version in versions:
        number = version.split("-")[0].split(".")[2]
        for flavour in flavours:
            name = f"linux-image-6.1.0-{number}-{flavour}"
            made.add(name, version, {"boot/vmlinuz": f"{name} {version}".encode()})
    return made


def entry(builds: int | str = "all", *suites: str, package: str = "linux-image-6.1*") -> DebianKernel:
    return DebianKernel.model_validate(
        {
            **{"name": "6.1", "arch": "x86_64", "source": "debian", "suite": "main", "package": package},
            "sweep": {"builds": builds, **({"suites": list(suites)} if suites else {})},
        }
    )


def sweep(kernel: DebianKernel, tmp_path: Path, **suites: MemoryArchive) -> Swept:
    source = DebianSource(SourceContext(cache=Cache(tmp_path), mirrors=no_mirrors), archive=Suites(**suites))
    return sweep_builds(source, kernel)


def rows(swept: Swept) -> list[tuple[str, str]]:
    return [(row.name, row.suite) for row in swept.sweep.rows]


def test_a_build_in_two_suites_is_one_row_and_the_oldest_comes_first(tmp_path: Path) -> None:
    suites = {"main": archive("6.1.7-1", "6.1.9-1"), "security": archive("6.1.9-1", "6.1.8-1", "6.1.10-1")}
    swept = sweep(entry("all", "security"), tmp_path, **suites)
    assert rows(swept) == [
        ("6.1-6.1.7-1", "main"),
        ("6.1-6.1.8-1", "security"),
        ("6.1-6.1.9-1", "main"),
        ("6.1-6.1.10-1", "security"),
    ]
    assert {name: pin.pin.version for name, pin in swept.pins.items()} == {
        name: name.removeprefix("6.1-") for name, _ in rows(swept)
    }
    assert swept.remarks == ()


def test_of_the_newest_some_those_without_their_files_are_named(tmp_path: Path) -> None:
    suites = {"main": archive("6.1.7-1", "6.1.9-1"), "security": archive("6.1.8-1", "6.1.10-1")}
    suites["main"].files = {name: data for name, data in suites["main"].files.items() if "6.1.9-1" not in name}
    swept = sweep(entry(2, "security"), tmp_path, **suites)
    assert rows(swept) == [("6.1-6.1.8-1", "security"), ("6.1-6.1.10-1", "security")]
    assert swept.remarks == ("left out, since files of theirs are gone: 6.1.9-1 (linux-image-6.1.0-9-cloud-amd64)",)
    assert swept.sweep == SweepPin(builds=2, suites=("security",), rows=swept.sweep.rows)


def test_a_suite_without_a_build_is_named(tmp_path: Path) -> None:
    swept = sweep(entry("all", "updates"), tmp_path, main=archive("6.1.7-1"), updates=MemoryArchive())
    assert rows(swept) == [("6.1-6.1.7-1", "main")]
    (remark,) = swept.remarks
    assert remark.startswith("updates (amd64) has no package linux-image-6.1*")


def test_where_there_is_none_at_all_that_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PackageGoneError, match="has no package"):
        sweep(entry("all", "updates"), tmp_path, main=MemoryArchive(), updates=MemoryArchive())
    gone = archive("6.1.7-1")
    gone.files.clear()
    with pytest.raises(
        PackageGoneError, match=r"no build of main: linux-image-6\.1\* is whole: left out, .* 6\.1\.7-1"
    ):
        sweep(entry(), tmp_path, main=gone)


def test_two_flavours_of_one_version_are_two_rows(tmp_path: Path) -> None:
    swept = sweep(entry(), tmp_path, main=archive("6.1.7-1~bpo12+1", flavours=("cloud-amd64", "amd64")))
    first, second = (name for name, _ in rows(swept))
    assert first == "6.1-6.1.7-1-bpo12+1"
    assert second.startswith(f"{first}-")
    assert len({pin.pin.packages for pin in swept.pins.values()}) == 2


# --- what it stood for before -----------------------------------------------------------------------------------------


def unlist(suite: MemoryArchive, *versions: str, files: bool) -> None:
    """Let a suite list some builds no more; their files go, too, without `files`."""
    for name, stanzas in list(suite.stanzas.items()):
        left = tuple(each for each in stanzas if each.package.version not in versions)
        suite.stanzas[name] = left
        if not left:
            del suite.stanzas[name]
    if not files:
        kept = {name: data for name, data in suite.files.items() if not any(each in name for each in versions)}
        suite.files = kept


def again(kernel: DebianKernel, tmp_path: Path, before: Swept, **suites: MemoryArchive) -> Swept:
    source = DebianSource(SourceContext(cache=Cache(tmp_path), mirrors=no_mirrors), archive=Suites(**suites))
    return sweep_builds(source, kernel, before=before)


def test_a_build_that_is_listed_no_more_stays_in_its_place_while_its_files_are_there(tmp_path: Path) -> None:
    main, security = archive("6.1.7-1", "6.1.9-1"), archive("6.1.8-1")
    before = sweep(entry("all", "security"), tmp_path, main=main, security=security)
    unlist(main, "6.1.7-1", files=False)
    unlist(security, "6.1.8-1", files=True)
    newer = archive("6.1.10-1")
    main.files |= newer.files
    main.stanzas |= newer.stanzas
    swept = again(entry("all", "security"), tmp_path, before, main=main, security=security)
    assert rows(swept) == [("6.1-6.1.8-1", "security"), ("6.1-6.1.9-1", "main"), ("6.1-6.1.10-1", "main")]
    assert swept.pins["6.1-6.1.8-1"] == before.pins["6.1-6.1.8-1"]
    assert swept.remarks[1:] == (
        "not listed any more, but their files are still there, so they stay: 6.1.8-1",
        "no longer in the lock, since files of theirs are gone: 6.1.7-1 (linux-image-6.1.0-7-cloud-amd64)",
    )
    assert again(entry("all", "security"), tmp_path, swept, main=main, security=security).sweep == swept.sweep


def test_builds_between_others_keep_their_order(tmp_path: Path) -> None:
    main = archive("6.1.5-1", "6.1.6-1", "6.1.7-1", "6.1.8-1", "6.1.9-1")
    before = sweep(entry(), tmp_path, main=main)
    unlist(main, "6.1.6-1", "6.1.7-1", "6.1.9-1", files=True)
    assert rows(again(entry(), tmp_path, before, main=main)) == rows(before)


def test_of_the_newest_some_those_that_are_older_by_now_are_named(tmp_path: Path) -> None:
    before = sweep(entry(2), tmp_path, main=archive("6.1.7-1", "6.1.8-1"))
    swept = again(entry(2), tmp_path, before, main=archive("6.1.7-1", "6.1.8-1", "6.1.9-1"))
    assert [name for name, _ in rows(swept)] == ["6.1-6.1.8-1", "6.1-6.1.9-1"]
    assert swept.remarks == ("no longer in the lock, since they are not among the newest 2: 6.1.7-1",)


def test_a_build_whose_files_are_others_by_now_does_not_stay_beside_them(tmp_path: Path) -> None:
    before = sweep(entry(), tmp_path, main=archive("6.1.7-1"))
    other = MemoryArchive()
    other.add("linux-image-6.1.0-7-cloud-amd64", "6.1.7-1", {"boot/vmlinuz": b"built again"})
    swept = again(entry(), tmp_path, before, main=other)
    assert rows(swept) == rows(before)
    assert swept.pins != before.pins
    assert swept.remarks == ("no longer in the lock, since files of theirs are gone: 6.1.7-1",)


def test_what_was_made_for_another_request_does_not_stay(tmp_path: Path) -> None:
    main = archive("6.1.7-1", "6.1.8-1", flavours=("cloud-amd64", "rt-amd64"))
    before = sweep(entry(package="linux-image-*-rt-amd64"), tmp_path, main=main)
    cloud = entry(package="linux-image-*-cloud-amd64")
    assert again(cloud, tmp_path, before, main=main) == sweep(cloud, tmp_path, main=main)


# --- rows -------------------------------------------------------------------------------------------------------------


def matrix(*kernels: DebianKernel) -> Matrix:
    return Matrix(kernels=kernels)


def listed(kernel: DebianKernel, **rows_of: str) -> Lock:
    """A lock with rows of a sweep, with their suites; what they are pinned to is of no interest here."""
    assert kernel.sweep is not None
    pinned = SweepPin(
        builds=kernel.sweep.builds,
        suites=kernel.sweep.suites,
        rows=tuple(SweptRow(name=name, suite=suite) for name, suite in rows_of.items()),
    )
    return Lock(sweeps={kernel.name: pinned})


OTHER = DebianKernel(name="other", arch="x86_64", source="debian", suite="main", package="linux-image-amd64")


def test_the_rows_take_the_place_of_their_entry() -> None:
    kernel = entry("all", "security")
    found = expanded(matrix(OTHER, kernel), listed(kernel, a="main", b="security")).kernels
    assert [each.name for each in found] == ["other", "a", "b"]
    assert found[0] is OTHER
    assert [getattr(row, "suite", None) for row in found[1:]] == ["main", "security"]
    assert all(row.sweeping == kernel.sweep for row in found[1:])
    assert [each.entry for each in found] == ["other", kernel.name, kernel.name]


def test_a_source_without_suites_has_rows_like_any_other() -> None:
    kernel = entry()
    assert [each.name for each in expanded(matrix(kernel), listed(kernel, a="")).kernels] == ["a"]


@pytest.mark.parametrize("changed", [entry(3, "security"), entry("all"), entry("all", "security", "updates")])
def test_what_the_lock_lists_for_another_request_is_not_run(changed: DebianKernel) -> None:
    assert expanded(matrix(changed), listed(entry("all", "security"), a="main")).kernels == (changed,)
    assert expanded(matrix(changed), Lock()).kernels == (changed,)


def test_a_row_may_not_have_the_name_of_another_kernel() -> None:
    kernel = entry()
    with pytest.raises(ConfigError, match="other: a row of a sweep has the name of another kernel"):
        expanded(matrix(OTHER, kernel), listed(kernel, other="main"))


def test_the_pin_of_a_row_answers_it_and_comes_back_from_the_lock(tmp_path: Path) -> None:
    kernel = entry("all", "security")
    suites = {"main": archive("6.1.7-1"), "security": archive("6.1.8-1")}
    source = DebianSource(SourceContext(cache=Cache(tmp_path), mirrors=no_mirrors), archive=Suites(**suites))
    swept = sweep_builds(source, kernel)
    made = Lock(kernels=swept.pins, sweeps={kernel.name: swept.sweep})
    write_lock(tmp_path / "matrix.lock", made)
    lock = read_lock(tmp_path / "matrix.lock")
    assert lock == made
    pins: Mapping[str, KernelPin] = lock.kernels
    kernels: Any = expanded(matrix(kernel), lock).kernels
    assert len(kernels) == 2
    assert all(source.answers(row, pins[row.name].pin) for row in kernels)
    other = kernels[0].model_copy(update={"package": "linux-image-6.2*"})
    assert not source.answers(other, pins[other.name].pin)
