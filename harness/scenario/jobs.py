"""From cases to the job that the guest agent executes. Pure.

docs/agent-protocol.md describes the job file; harness/agent/steps.py executes it. What a step must show stays on
the host (`AgentStep.look`, `refused`, ...): the agent only reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from harness.scenario.case import Case
from harness.scenario.sharing import shared_loads

NO_MODULE: Mapping[str, Any] = {"files": [], "built_in": False}
"""What the agent gets of a module that the kernel does not have."""


def job_of(
    cases: Iterable[tuple[Case, Mapping[str, PurePosixPath]]],
    *,
    deadline: float,
    modules: Mapping[str, Mapping[str, Any]] | None = None,
    share: bool = True,
) -> dict[str, Any]:
    """Return the job of some cases, ready for JSON; `deadline` (seconds) holds where a case has none of its own.

    Beside each case stand the paths in the guest of its objects and of its file with types of a kernel, by file name.
    `modules` says of those that cases name which `files` of the guest they are, in the order of loading, or that they
    are `built_in`; a module that is missing there the kernel does not have. What only the agent needs is
    `optional`. Without `share` each case loads its objects by itself.
    """
    known = modules or {}
    jobs = [
        {
            "id": case.id,
            "deadline": case.deadline or deadline,
            "alone": case.alone,
            "kconfig": {name: list(values) for name, values in case.kconfig.items()},
            **({"btf": str(paths[case.btf])} if case.btf else {}),
            **({"options": options} if (options := options_of(case)) else {}),
            "sysctls": dict(case.sysctls),
            "modules": [
                *({"name": name, **known.get(name, NO_MODULE)} for name in case.modules),
                *({"name": name, **known[name], "optional": True} for name in case.attachers if name in known),
            ],
            **({"measure": True} if case.measures_loads else {}),
            "steps": [step.job(paths) for step in case.steps],
            **({"shares": case.shares} if case.shares and share else {}),
            **_own(case),
            **_scenario(case, paths),
        }
        for case, paths in cases
    ]
    shared = shared_loads(jobs)
    return {"cases": jobs, **({"shared": shared} if shared else {})}


def _own(case: Case) -> dict[str, Any]:
    """Return what the agent gets of a case's own folder: where it is, and how programs in it are started."""
    own = case.own
    more = {"starts": {place: list(before) for place, before in own.starts.items()}, "env": dict(own.env)}
    return {"own": {"folder": own.folder, **{key: value for key, value in more.items() if value}}} if own.folder else {}


def _scenario(case: Case, paths: Mapping[str, PurePosixPath]) -> dict[str, Any]:
    """Return what the agent gets of a scenario: its text, what messages call it, and the objects that it can open."""
    if case.scenario is None:
        return {}
    objects = {name: {"file": file, "path": str(paths[file])} for name, file in case.objects.items()}
    setup = {"setup": [step.job() for step in case.setup]} if case.setup else {}
    return {"scenario": {"file": case.scenario.file, "source": case.scenario.source, "objects": objects}, **setup}


def options_of(case: Case) -> list[str]:
    """Return the options of the kernel's configuration that a case's rules ask for."""
    return sorted({option.partition("=")[0] for rule in case.expect for option in rule.config})
