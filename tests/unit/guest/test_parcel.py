"""What is pushed to a guest: where a file is missing, and where those lie that cases share."""

from __future__ import annotations

import importlib
import json
import stat
import zlib
from pathlib import Path
from typing import Any

import pytest
from unit_samples import guest_plan, sample_case

from harness.guest.parcel import job_parcel
from harness.run.one_kernel import error_reason
from harness.scenario.from_command import Command, case_of
from harness.supply.pushed import ASIDE, Pushed, PushedFile


def test_an_object_that_vanishes_from_the_cache_is_named(tmp_path: Path) -> None:
    path = tmp_path / "objects/key/object.o"
    plan = guest_plan(tmp_path, objects={"case": {"target.bpf.c": path}})
    with pytest.raises(OSError) as caught:
        job_parcel(plan, [sample_case(id="case")], agent=True)
    wanted = f"the host failed: [Errno 2] this was removed while the run was under way; run again: '{path}'"
    assert error_reason(caught.value) == wanted


def pushed(folder: Path, objects: dict[str, dict[str, Path]]) -> tuple[dict[str, bytes], list[list[str]]]:
    """Return the files of a parcel by their place in the guest, and the paths that each case opens."""
    cases = [
        sample_case(
            id=case,
            target={"object": next(iter(files)), "attach": ["k"]},
            tracer=None,
            control=None,
        )
        for case, files in objects.items()
    ]
    line, _, data = zlib.decompress(job_parcel(guest_plan(folder, objects=objects), cases, agent=False)).partition(
        b"\n"
    )
    head: dict[str, Any] = json.loads(line)
    files = {}
    for path, size in head["files"]:
        files[path], data = data[:size], data[size:]
    steps = [case["steps"] for case in head["job"]["cases"]]
    return files, [[step["path"] for step in each if step["op"] == "open"] for each in steps]


def test_an_object_that_cases_share_is_sent_once_to_a_place_that_names_no_case(tmp_path: Path) -> None:
    (tmp_path / "one.o").write_bytes(b"one")
    name = "shared/seed.bpf.c"
    files, opened = pushed(tmp_path, {"a": {name: tmp_path / "one.o"}, "b": {name: tmp_path / "one.o"}})
    assert files == {"/run/bpfmatrix/.shared/seed.bpf.c.o": b"one"}
    assert opened == [["/run/bpfmatrix/.shared/seed.bpf.c.o"]] * 2


def test_another_file_of_the_same_name_lies_apart(tmp_path: Path) -> None:
    """As a changed object does, or one that cases of another folder share; no case's own file is in the way."""
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.o").write_bytes(name.encode())
    files, opened = pushed(
        tmp_path,
        {
            "a": {"shared/seed.bpf.c": tmp_path / "one.o"},
            "b": {"shared/seed.bpf.c": tmp_path / "two.o"},
            "shared": {"seed.bpf.c": tmp_path / "three.o"},
        },
    )
    assert [files[path] for (path,) in opened] == [b"one", b"two", b"three"]


def test_files_of_a_command_are_pushed_as_they_are_to_their_places(tmp_path: Path) -> None:
    """The guest's service writes them: here below a folder of the test."""
    service: Any = importlib.import_module("harness.guest_service")
    (tmp_path / "program").write_bytes(b"program")
    top = tmp_path / "guest"
    files = (
        PushedFile(path=f"{top}/empty", mode=stat.S_IFDIR | 0o750),
        PushedFile(path=f"{top}/bin/program", mode=stat.S_IFREG | 0o4755, size=7, source=tmp_path / "program"),
        PushedFile(path=f"{top}/links/it", mode=stat.S_IFLNK | 0o777, target="../bin/program"),
    )
    case = case_of(Command(argv=("./program",)), id="program", title="program")
    plan = guest_plan(tmp_path, pushed={"program": Pushed(files=files)}, objects={"program": {}})
    _, job = service.unpack(job_parcel(plan, [case], agent=False))
    assert job["cases"][0]["steps"][0]["argv"] == ["./program"]
    assert (top / "links/it").read_bytes() == b"program"
    assert stat.S_IMODE((top / "bin/program").stat().st_mode) == 0o4755
    assert stat.S_IMODE((top / "empty").stat().st_mode) == 0o750


def test_what_is_in_the_initramfs_is_not_pushed_but_for_what_would_be_hidden_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"file")
    files = tuple(
        PushedFile(path=path, mode=stat.S_IFREG | 0o644, size=4, source=tmp_path / "file")
        for path in ("/root/file", "/tmp/file")
    )
    case = case_of(Command(argv=("true",)), id="it", title="it")
    plan = guest_plan(tmp_path, pushed={"it": Pushed(files=files)}, files=files, objects={"it": {}})
    line, _, _ = zlib.decompress(job_parcel(plan, [case], agent=False)).partition(b"\n")
    head = json.loads(line)
    assert (head["files"], head["links"]) == ([], [["/tmp/file", f"{ASIDE}/1/file"]])
