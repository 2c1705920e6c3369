"""What a bundle was made of, by what and where: an in-toto statement with SLSA's provenance as its predicate. Pure.

The statement is ours, and is not signed. In GitHub's workflow `actions/attest` makes a signed one over the same files.
(https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, https://slsa.dev/spec/v1.0/provenance)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from harness.errors import ConfigError
from harness.model.results import KernelResult, Report

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:bpfmatrix:release-report:v1"
LOCAL = "urn:bpfmatrix:local"
"""The builder of a bundle that no workflow made."""

MADE = "bpfmatrix_made"
"""Where the statement has what it was made of as `Made` has it (SLSA allows a builder's own keys)."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """Where a bundle was made, and of what beside its report.

    `commit` is that of the checkout ("" without one) and `changed` says that files of it were not committed; `lock` is
    the sha256 of matrix.lock ("" without one); `repository`, `builder` and `invocation` are URIs ("" where unknown).
    `version` is that of the bpfmatrix which made it, with the commit of its own checkout where it is one. `badge` are
    the cases that the badge speaks of, () for all.
    """

    version: str
    commit: str = ""
    changed: bool = False
    repository: str = ""
    lock: str = ""
    builder: str = LOCAL
    invocation: str = ""
    badge: tuple[str, ...] = ()


def made_in(
    environment: Mapping[str, str], *, version: str, checkout: tuple[str, bool], lock: str, badge: tuple[str, ...] = ()
) -> Made:
    """Return where something is made: in a workflow of GitHub by its variables, else in a checkout or none.

    `checkout` is a commit, and whether files differ from it.
    (https://docs.github.com/en/actions/reference/workflows-and-actions/variables)
    """
    commit, changed = checkout
    server, name = environment.get("GITHUB_SERVER_URL", ""), environment.get("GITHUB_REPOSITORY", "")
    run, workflow = environment.get("GITHUB_RUN_ID", ""), environment.get("GITHUB_WORKFLOW_REF", "")
    if not (server and name and run):
        return Made(version=version, commit=commit, changed=changed, lock=lock, badge=badge)
    return Made(
        version=version,
        commit=environment.get("GITHUB_SHA", commit),
        changed=changed,
        repository=f"{server}/{name}",
        lock=lock,
        builder=f"{server}/{workflow}" if workflow else LOCAL,
        invocation=f"{server}/{name}/actions/runs/{run}/attempts/{environment.get('GITHUB_RUN_ATTEMPT', '1')}",
        badge=badge,
    )


def statement(report: Report, made: Made, *, subjects: Mapping[str, str]) -> str:
    """Return the statement as JSON; `subjects` are the files of the bundle with their sha256."""
    document = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects.items()],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"command": report.run.command, "badge": list(made.badge)},
                "internalParameters": {
                    "run": report.run.id,
                    "accel": report.run.accel,
                    "jobs": report.run.jobs,
                    "host": dict(report.run.host),
                },
                "resolvedDependencies": [*_sources(made), *(_kernel(kernel) for kernel in report.kernels)],
            },
            "runDetails": {
                "builder": {"id": made.builder, "version": {"bpfmatrix": report.run.version}},
                "metadata": {
                    **({"invocationId": made.invocation} if made.invocation else {}),
                    "startedOn": report.run.started,
                    "finishedOn": _finished(report),
                },
                MADE: asdict(made),
            },
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _sources(made: Made) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if made.commit:
        where = {"uri": f"git+{made.repository}"} if made.repository else {"name": "checkout"}
        notes = {"annotations": {"changed": True}} if made.changed else {}
        found.append({**where, "digest": {"gitCommit": made.commit}, **notes})
    if made.lock:
        found.append({"name": "matrix.lock", "digest": {"sha256": made.lock}})
    return found


def _kernel(kernel: KernelResult) -> dict[str, Any]:
    """Return a kernel that was booted: its row, and its package where it has one."""
    package = kernel.package
    notes = {"arch": kernel.arch, "release": kernel.release}
    if package is None:
        return {"name": kernel.name, "annotations": notes}
    digest = {"digest": {"sha256": package.sha256}} if package.sha256 else {}
    return {
        "name": kernel.name,
        **digest,
        "annotations": {**notes, "source": package.source, "package": package.name, "version": package.version},
    }


def _finished(report: Report) -> str:
    """Return when the run ended, in the form of its start."""
    try:
        started = datetime.fromisoformat(report.run.started)
    except ValueError:
        return report.run.started
    ended = started + timedelta(seconds=round(report.run.seconds))
    return ended.isoformat().replace("+00:00", "Z")


def read(text: str, *, name: str) -> tuple[Made, dict[str, str]]:
    """Return where a bundle was made, and the sha256 of its files, as its statement says.

    Raises ConfigError where the text is no such statement.
    """
    try:
        document = json.loads(text)
        subjects = {str(each["name"]): str(each["digest"]["sha256"]) for each in document["subject"]}
        kind = (document["_type"], document["predicateType"])
        found = document["predicate"]["runDetails"][MADE]
        made = Made(**{each.name: _typed(found[each.name], like=each.default) for each in fields(Made)})
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{name} is no statement that bpfmatrix made ({type(error).__name__}: {error})") from error
    if kind != (STATEMENT, PREDICATE):
        raise ConfigError(f"{name} is a statement of {kind[0]} with {kind[1]}; expected {STATEMENT} with {PREDICATE}")
    return made, subjects


def _typed(value: object, *, like: object) -> Any:
    """Return a value of the statement, which must be what the field `like` is: a text, true or false, some texts."""
    if isinstance(like, tuple) and isinstance(value, list):
        return tuple(_typed(each, like="") for each in value)
    if type(value) is not (type(like) if isinstance(like, bool) else str):
        raise TypeError(f"{value!r}")
    return value
