"""What went into the answers of a row, by hash: with the same inputs a row need not run again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from harness.guest.boot import common_nodes
from harness.host.cache import digest, sha256_known
from harness.scenario.case import Case
from harness.scenario.jobs import job_of
from harness.supply.guest_plan import GuestPlan
from harness.supply.image import cpio
from harness.supply.pushed import Pushed


def inputs_of(plan: GuestPlan, cases: Sequence[Case], *, qemu_version: str) -> dict[str, str]:
    """Return the hash of each thing that went into a row, by what it is; QEMU and the accelerator are named.

    Expectations are none of them: a row is judged by those of the day. Raises OSError where a file is gone.
    """
    settings = plan.settings
    objects = {
        case.id: {name: sha256_known(path) for name, path in plan.objects.get(case.id, {}).items()} for case in cases
    }
    modules = {name: [sha256_known(path) for path in module.files] for name, module in plan.kernel.case_modules.items()}
    brought = {case.id: _brought(plan.pushed[case.id]) for case in cases if case.id in plan.pushed}
    named = [
        (case, {file: PurePosixPath(file) for file in (*case.objects.values(), *([case.btf] if case.btf else []))})
        for case in cases
    ]
    jobs = job_of(named, deadline=settings.deadlines.case)
    more = {"libbpf": digest([sha256_known(path) for path in plan.archives])} if plan.archives else {}
    return {
        **more,
        "kernel": digest(plan.kernel.release, sha256_known(plan.kernel.image), modules),
        "image": digest(sha256_known(plan.base), cpio.archive(common_nodes(plan)).hex()),
        "agent": hashlib.sha256(plan.programs.agent).hexdigest()[:24],
        "objects": digest(objects, *([brought] if brought else [])),
        "cases": digest(jobs, {case.id: [case.cmdline, case.memory, case.cpus] for case in cases}),
        "guest": digest(settings.memory, settings.cpus, plan.cmdline),
        "qemu": qemu_version,
        "accelerator": plan.accel,
    }


def _brought(pushed: Pushed) -> list[list[Any]]:
    files = [
        [file.path, file.mode, file.target, sha256_known(file.source) if file.source else ""] for file in pushed.files
    ]
    return [*files, [sha256_known(path) for path in pushed.archives]]
