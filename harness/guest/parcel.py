"""What is pushed to a guest: the agent, the objects of its cases, and the job, in one piece.

docs/agent-protocol.md describes it; harness/guest_service.py takes it.
"""

from __future__ import annotations

import json
import stat
import zlib
from collections.abc import Container, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from harness.scenario.case import GUEST_FOLDER, Case
from harness.scenario.jobs import job_of
from harness.supply.guest_plan import GuestPlan
from harness.supply.kernels.modules import CaseModule
from harness.supply.pushed import PushedFile, divided, without_doubles

IN_GUEST = GUEST_FOLDER
PARCELS = str(IN_GUEST / "in")
"""The pipe in the guest that takes parcels."""
MODULES = IN_GUEST / ".modules"
"""Where the modules lie that cases name; beside it each case has a folder of its own name."""
LARGE_BYTES, LARGE_LEVEL = 1024 * 1024, 1
"""From how many bytes on a parcel is packed fast rather than small."""
SHARED = IN_GUEST / ".shared"
"""Where the objects lie whose sources cases share."""


def agent_parcel(plan: GuestPlan) -> bytes:
    """Return the agent alone, for a guest that shall have it before there is a job."""
    return _packed(plan.programs.agent, files={}, job=None)


def job_parcel(plan: GuestPlan, cases: Sequence[Case], *, agent: bool) -> bytes:
    """Return a job with its objects and modules, and with the `agent` for a guest that has none yet.

    An object that several cases have is sent once. Raises OSError where one cannot be read.
    """
    places: dict[Path, PurePosixPath] = {}
    files: dict[PurePosixPath, bytes] = {}
    pushed = [file for case in cases if case.id in plan.pushed for file in plan.pushed[case.id].files]
    if plan.files:  # the guest was booted with them
        pushed = list(divided(pushed)[1])
    pushed = list(without_doubles(pushed))
    jobs = []
    for case in cases:
        paths = {}
        for name, path in plan.objects[case.id].items():
            if path not in places:
                places[path] = _place(case, name, taken=files)
                files[places[path]] = _content(path)
            paths[name] = places[path]
        jobs.append((case, paths))
    modules = {}
    for module in {module for case in cases for module in (*case.modules, *case.attachers)}:
        found = plan.kernel.case_modules.get(module, CaseModule())
        files.update((MODULES / path.name, _content(path)) for path in found.files)
        modules[module] = {"files": [str(MODULES / path.name) for path in found.files], "built_in": found.built_in}
    job = job_of(jobs, deadline=plan.settings.deadlines.case, modules=modules, share=plan.share)
    if plan.edit is not None:
        job = plan.edit(job)
    return _packed(plan.programs.agent if agent else b"", files=files, job=job, pushed=pushed)


def _place(case: Case, name: str, *, taken: Container[PurePosixPath]) -> PurePosixPath:
    """Return where an object lies in the guest: the same for all cases that share it, so that all reports say the same.

    Two files of that name, as a changed one or one of another project, lie apart: the second in its case's folder.
    """
    folder, _, file = name.rpartition("/")
    shared = SHARED / f"{file}.o"
    return shared if folder and shared not in taken else IN_GUEST / case.id / f"{name}.o"


def _content(path: Path) -> bytes:
    """Return what is in a file; raise OSError, which names a file that was there when the run began."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            error.errno, "this was removed while the run was under way; run again", str(path)
        ) from error


def _packed(
    agent: bytes,
    *,
    files: Mapping[PurePosixPath, bytes],
    job: Mapping[str, Any] | None,
    pushed: Sequence[PushedFile] = (),
) -> bytes:
    """Return a line of JSON, then the agent and the files that it announces, all through zlib."""
    head: dict[str, Any] = {"agent": len(agent), "files": [(str(path), len(data)) for path, data in files.items()]}
    head["job"] = job
    contents = list(files.values())
    if pushed:
        head["folders"] = [(each.path, stat.S_IMODE(each.mode)) for each in pushed if stat.S_ISDIR(each.mode)]
        head["links"] = [(each.path, each.target) for each in pushed if stat.S_ISLNK(each.mode)]
        head["modes"] = []
        for file in pushed:
            if file.source is not None:
                contents.append(_content(file.source))
                head["files"].append((file.path, len(contents[-1])))
                head["modes"].append((file.path, stat.S_IMODE(file.mode)))
    level = LARGE_LEVEL if sum(map(len, contents)) > LARGE_BYTES else -1
    return zlib.compress(b"".join([json.dumps(head).encode(), b"\n", agent, *contents]), level)
