"""What only new kernels have for things of a `setup`: an order in control groups, netfilter, links of struct_ops."""

from __future__ import annotations

from typing import Any

import pytest
from projects import TemporaryProject, run
from setups import CALLEE, GROUPS, OVER, PAIR, SENT, TARGET, attach, cells_of, seen, steps, write

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1200)]

BEFORE, NEW = "6.16-x86_64", "7.3-x86_64"
"""Kernels: the last one without an order in control groups, and one that has all of it."""
SAID = {"kind": "call", "name": "udp-loopback"}
CONNECTED = {"kind": "workload", "pieces": ["tcp"]}
BACK = {"kind": "udp", "to": "10.9.8.1", "from-namespace": "other"}
"""A datagram from the other namespace to the case's own."""
ORDERED = {
    "expect": [
        {
            "outcome": "refused",
            "stage": "attach-target",
            "errno": "EINVAL",
            "version": "<6.17",
            "reason": "a link of a control group has no flags",
            "source": "kernel/bpf/cgroup.c, cgroup_bpf_link_attach()",
        }
    ]
}
CASES: dict[str, dict[str, Any]] = {
    "group-before": ORDERED
    | steps(
        "sent",
        "sent_too",
        setup=GROUPS,
        then=[
            attach("sent", {"cgroup": "one"}, link="first"),
            attach("sent_too", {"cgroup": "one", "before": "first"}, link="second"),
            *seen(SAID, CALLEE, TARGET),
            {"do": "detach", "link": "second"},
            *seen(SAID, TARGET),
        ],
    ),
    "group-after": ORDERED
    | steps(
        "sent",
        "sent_too",
        setup=GROUPS,
        then=[
            attach("sent", {"cgroup": "one"}, link="first"),
            attach("sent", {"cgroup": "one"}, link="last"),
            attach("sent_too", {"cgroup": "one", "after": "first"}, link="between"),
            *seen(SAID, TARGET, CALLEE, TARGET),
            {"do": "detach", "link": "first"},
            *seen(SAID, CALLEE, TARGET),
        ],
    ),
    "netfilter-in-another": steps(
        "outgoing",
        setup=PAIR,
        source="netfilter",
        then=[
            attach("outgoing", {"namespace": "other"}, link="l"),
            *seen(OVER),
            *seen(BACK, TARGET),
            *seen(SENT, TARGET),  # nobody listens there, and the other namespace says so (ICMP)
            {"do": "detach", "link": "l"},
            *seen(BACK),
        ],
    ),
    "netfilter-in-its-own": steps(
        "outgoing", setup=PAIR, source="netfilter", then=[attach("outgoing"), *seen(OVER, TARGET), *seen(BACK)]
    ),
    "congestion-controls": steps(
        *("chosen", "chosen_later", "size", "undone", "acknowledged"),
        setup=[{"make": "dummy", "name": "d"}],  # so that the case has a namespace
        source="congestion",
        then=[
            attach("earlier", link="l"),
            *seen(CONNECTED, TARGET),
            {"do": "update-link", "link": "l", "program": "target.later"},
            *seen(CONNECTED, CALLEE),
            {"do": "update-link", "link": "l", "program": "target.stranger", "refused": "EINVAL"},
            *seen(CONNECTED, CALLEE),
            {"do": "detach", "link": "l"},
            *seen(CONNECTED),
        ],
    ),
}


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("newest")
    project = TemporaryProject(folder / "project", kernels=[BEFORE, NEW])
    for name, keys in CASES.items():
        write(project, name, keys)
    done = run("matrix", "--matrix-file", project.matrix_file, "--results", folder / "r", seconds=900)
    return cells_of(folder / "r", done)


@pytest.mark.parametrize("kernel", [BEFORE, NEW])
@pytest.mark.parametrize("name", CASES)
def test_what_new_kernels_have(name: str, kernel: str, cells: dict[tuple[str, str], Any]) -> None:
    cell = cells[kernel, name]
    refused = kernel == BEFORE and name.startswith("group-")
    assert (cell["outcome"], cell["verdict"]) == (("refused", "xfail") if refused else ("works", "pass")), cell[
        "reason"
    ]
