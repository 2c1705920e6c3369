"""What is pushed to a guest: where a file is missing, and where those lie that cases share."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from unit_samples import guest_plan, sample_case

from harness.guest.parcel import job_parcel
from harness.run.one_kernel import error_reason


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
