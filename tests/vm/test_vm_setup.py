"""What a case's `setup` declares is there, its programs run where they are attached to it, and nothing of it stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from projects import TemporaryProject, run
from setups import CALLEE, GROUPS, OVER, PAIR, RENAMED, SAID, SENT, TARGET, attach, cells_of, seen, steps, write

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1200)]

OLD, NEW, BARE = "5.10-x86_64", "7.3-x86_64", "7.1-x86_64"
"""Kernels: two with their modules, and one that comes without."""
CASES: dict[str, dict[str, Any]] = {
    "simple": {
        "title": "t",
        "setup": PAIR,
        "target": {"object": "target.bpf.c", "attach": ["packet"], "attach-to": {"packet": {"device": "b"}}},
        "trigger": SENT,
        "observe": {"trace": [TARGET]},
    },
    **{
        f"xdp-{mode}": steps(
            "packet",
            setup=PAIR,
            then=[attach("packet", {"device": "b", "mode": mode}), *seen(SENT, TARGET), *seen(SAID)],
        )
        for mode in ("native", "generic")
    },
    "xdp-native-on-lo": steps(
        "packet",
        setup=[],
        then=[attach("packet", {"device": "lo", "mode": "native"}, refused="EOPNOTSUPP")],
    ),
    "xdp-on-dummy": steps(
        "packet",
        setup=[{"make": "dummy", "name": "d", "address": "10.9.8.1/24"}],
        then=[attach("packet", "d", link="l"), {"do": "detach", "link": "l"}],
    ),
    "filters": steps(
        "filter",
        "other_filter",
        setup=[
            *PAIR,
            {"make": "qdisc", "kind": "clsact", "device": "a"},
            {"make": "qdisc", "kind": "pfifo", "device": "b"},
        ],
        then=[
            attach("filter", {"device": "a", "direction": "egress", "priority": 2}),
            attach("other_filter", {"device": "a", "direction": "egress", "priority": 1}),
            *seen(OVER, CALLEE, TARGET),
            {"do": "detach", "link": "other_filter"},
            *seen(OVER, TARGET),
            {"do": "detach", "link": "filter"},
            *seen(OVER),
            attach("filter", {"device": "b"}),
            *seen(OVER, TARGET),
            {"do": "detach", "link": "filter"},
        ],
    ),
    "tcx-order": {
        **steps(
            "first",
            "second",
            setup=PAIR,
            source="tcx",
            then=[
                attach("first", {"device": "b"}),
                attach("second", {"device": "b", "before": "first"}),
                *seen(SENT, CALLEE, TARGET),
                {"do": "detach", "link": "second"},
                attach("second", {"device": "b", "after": "first"}),
                *seen(SENT, TARGET, CALLEE),
                {"do": "update-link", "link": "first", "program": "target.second", "refused": "EEXIST"},
            ],
        ),
        "expect": [
            {"outcome": "refused", "stage": "attach-target", "version": "<6.6", "reason": "no tcx", "source": "6.6"}
        ],
    },
    "groups": steps(
        "sent",
        "sent_too",
        setup=GROUPS,
        then=[
            attach("sent", {"cgroup": "one"}, link="outer"),
            attach("sent_too", {"cgroup": "one/inner"}, link="inner"),
            attach("sent", {"cgroup": "two"}, link="beside"),
            *seen(SAID, CALLEE, TARGET),
            {"do": "update-link", "link": "inner", "program": "target.sent"},
            *seen(SAID, TARGET, TARGET),
            {"do": "detach", "link": "outer"},
            {"do": "detach", "link": "inner"},
            *seen(SAID),
        ],
    ),
    "group-flags": steps(
        "sent",
        "sent_too",
        setup=GROUPS,
        then=[
            attach("sent", {"cgroup": "one", "flags": ["override"]}, link="outer"),
            *seen(SAID, TARGET),
            attach("sent_too", {"cgroup": "one/inner", "flags": ["override"]}, link="inner"),
            *seen(SAID, CALLEE),
            {"do": "detach", "link": "inner"},
            {"do": "detach", "link": "outer"},
            attach("sent", {"cgroup": "one", "flags": []}, link="outer"),
            attach("sent_too", {"cgroup": "one/inner", "flags": ["multi"]}, refused="EPERM"),
        ],
    ),
    "in-a-namespace": steps(
        "lookup",
        setup=PAIR,
        then=[attach("lookup", {"namespace": "other"}), *seen(SENT, TARGET), *seen(SAID)],
    ),
    "dissector": steps("dissector", setup=PAIR, then=[attach("dissector", {"namespace": "other"}, link="l")]),
    "updated": steps(
        "packet",
        "other_packet",
        setup=PAIR,
        then=[
            attach("packet", {"device": "b"}),
            *seen(SENT, TARGET),
            {"do": "update-link", "link": "packet", "program": "target.other_packet"},
            *seen(SENT, CALLEE),
            {"do": "detach", "link": "packet"},
            *seen(SENT),
        ],
    ),
    "sent-over-the-pair": steps(
        "packet",
        setup=PAIR,
        then=[
            attach("packet", {"device": "b"}),
            *seen({"kind": "udp", "to": "10.9.8.2", "to-namespace": "other", "count": 2}, TARGET, TARGET),
            *seen({"kind": "udp", "to": "2001:db8::2", "to-namespace": "other"}, TARGET),
            *seen({"kind": "ping", "to": "10.9.8.2"}, TARGET),
            *seen({"kind": "udp", "to": "10.9.8.2", "port": 9, "arrive": "none"}, TARGET),
            {"do": "trigger", "trigger": {"kind": "tcp", "to": "10.9.8.2", "to-namespace": "other"}},
            {"do": "observe", "expect": {"trace": {"at-least": [{"kind": "target", "times": 3}]}}},
            {"do": "detach", "link": "packet"},
            attach("packet", {"device": "a"}, link="back"),
            *seen({"kind": "udp", "to": "10.9.8.1", "from-namespace": "other"}, TARGET),
            *seen({"kind": "ping", "to": "2001:db8::1", "from-namespace": "other"}, TARGET),
            *seen({"kind": "udp", "to": "127.0.0.1"}),
        ],
    ),
    "update-refused": steps(
        "renamed",
        "packet",
        setup=[],
        then=[
            attach("renamed"),
            {"do": "update-link", "link": "renamed", "program": "target.renamed", "refused": "EINVAL"},
            *seen(RENAMED, TARGET),
        ],
    ),
    **{
        name: steps(
            "renamed",
            setup=[],
            then=[
                attach("renamed"),
                {"do": "pin", "link": "renamed", "path": "/sys/fs/bpf/own/link"},
                {"do": "pin", "program": "target.renamed", "path": "/sys/fs/bpf/own/program"},
                {"do": "pin", "map": "target.trace", "path": "/sys/fs/bpf/own/map"},
                {"do": "pin", "map": "target.trace", "path": "/sys/fs/bpf/own/map", "refused": "EEXIST"},
                {"do": "pin", "program": "target.renamed", "path": "/sys/fs/bpf/own/program", "refused": "EEXIST"},
                {"do": "detach", "link": "renamed"},
                *seen(RENAMED, TARGET),
                *([] if name == "pinned" else [{"do": "unpin", "path": "/sys/fs/bpf/own/link"}, *seen(RENAMED)]),
            ],
        )
        for name in ("pinned", "pinned-again")
    },
}
LOOK = """
        import os
        def names(folder):
            return [name for name in os.listdir(folder) if "." not in name] if os.path.isdir(folder) else []
        left = [*names("/run/netns"), *names("/mnt/x"), *names("/sys/fs/cgroup/bpfmatrix")]
        left += [line.split()[4] for line in open("/proc/self/mountinfo") if "/mnt/x" in line or "netns" in line]
"""
SCENARIOS = {
    # Each case looks for what the one before it has made, so these run in this order, in one guest.
    "y1-broken": LOOK
    + """
        there = ["/mnt/x/y", "/mnt/x/z", "/run/netns/other", "one", "other", "y", "z"]
        guest.expect_equal(sorted(left), there, "all is there")
        open("/mnt/x/y/file", "w").close()
        raise RuntimeError("on purpose")
    """,
    "y2-killed": """
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    """,
    "y3-after": LOOK
    + """
        guest.expect_equal([*left, os.path.exists("/mnt/x")], [False], "nothing is left")
    """,
    "y4-attached": """
        import socket
        target = guest.open("target.bpf.c", only=["packet", "other_packet", "filter", "sent"])
        target.load()
        link = target.attach("packet", to={"device": "b", "mode": "generic"})
        guest.expect_equal(link.xdp, "generic", "it runs as it was asked to")
        sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        def count(kind):
            sender.sendto(b"x", ("2001:db8::2", 9))
            found = target.map("trace_cursor").get(0)
            target.map("trace_cursor").put(0, 0)
            return found
        target.map("trace_cursor").put(0, 0)
        guest.expect_equal(count("packet"), 1, "one packet")
        link.pin("/sys/fs/bpf/kept")
        target.pin("trace", "/sys/fs/bpf/trace")
        link.update(target, "other_packet")
        link.detach()
        guest.expect_equal(count("packet"), 1, "what is pinned stays attached")
        guest.unpin("/sys/fs/bpf/kept")
        guest.expect_equal(count("packet"), 0, "until it is unpinned")
        target.attach("filter", to={"device": "b"})
        guest.expect_equal(count("filter"), 1, "the filter")
    """,
    "y6-shown": """
        import os, socket
        def shown():
            lines = [line.strip() for line in open("/proc/net/fib_trie")]
            local = {name[4:] for name, kind in zip(lines, lines[1:]) if kind == "/32 host LOCAL"}
            timeout = open("/proc/sys/net/ipv4/tcp_fin_timeout").read().strip()
            routes = sorted(line.split()[0] for line in open("/proc/net/route").read().splitlines()[1:])
            return [sorted(name for _, name in socket.if_nameindex()), sorted(local), routes, timeout]
        down = [["e", "f", "h", "lo"], ["10.7.2.1", "10.7.3.1", "127.0.0.1"], [], "33"]
        guest.expect_equal(shown(), down, "what is not up has no routes")
        os.setns(os.open("/run/netns/one", os.O_RDONLY), os.CLONE_NEWNET)
        own = [["c", "g", "lo"], ["10.7.0.1", "10.7.1.1", "127.0.0.1"], ["c", "g"], "33"]
        guest.expect_equal(shown(), own, "the one end, and a dummy")
        no_ipv6 = {name: open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").read().strip() for name in ("c", "g")}
        guest.expect_equal(no_ipv6, {"c": "1", "g": "1"}, "without an address of it there is no IPv6")
        os.setns(os.open("/run/netns/two", os.O_RDONLY), os.CLONE_NEWNET)
        guest.expect_equal(shown(), [["d", "lo"], ["10.7.0.2", "127.0.0.1"], ["d"], "33"], "the other end")
        mounts = [line.split() for line in open("/proc/self/mountinfo") if "/mnt/x/" in line]
        found = {each[4]: (each[each.index("-") + 1], "size=64k" in each[-1]) for each in mounts}
        guest.expect_equal(found, {"/mnt/x/y": ("tmpfs", True), "/mnt/x/z": ("bpf", False)}, "types and options")
    """,
    "y5-mistaken": """
        target = guest.open("target.bpf.c", only=["packet"])
        target.load()
        target.attach("packet", to={"device": "c"})
    """,
}
SHOWN = {
    "sysctls": {"net.ipv4.tcp_fin_timeout": 33},
    "setup": [
        {"make": "namespace", "name": "one"},
        {"make": "namespace", "name": "two"},
        {
            **{"make": "veth", "name": "c", "address": "10.7.0.1/24", "namespace": "one"},
            **{"peer": "d", "peer-address": "10.7.0.2/24", "peer-namespace": "two"},
        },
        {"make": "veth", "name": "e", "peer": "f", "address": "10.7.2.1/24", "up": False},
        {"make": "dummy", "name": "g", "address": "10.7.1.1/24", "namespace": "one"},
        {"make": "dummy", "name": "h", "address": "10.7.3.1/24", "up": False},
        {"make": "mount", "type": "tmpfs", "at": "/mnt/x/y", "options": "size=64k"},
        {"make": "mount", "type": "bpf", "at": "/mnt/x/z"},
    ],
}
FULL = [
    *PAIR,
    {"make": "cgroup", "name": "one/inner"},
    {"make": "mount", "type": "tmpfs", "at": "/mnt/x/y", "options": "size=64k"},
    {"make": "mount", "type": "bpf", "at": "/mnt/x/z"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("setup")


@pytest.fixture(scope="module")
def cells(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    project = TemporaryProject(folder / "project", kernels=[OLD, NEW, BARE])
    for name, keys in CASES.items():
        write(project, name, keys)
    for name, text in SCENARIOS.items():
        keys = {"y3-after": {}, "y6-shown": SHOWN}.get(name, {"setup": FULL})
        write(project, name, {"title": "t", "objects": {"target": "target.bpf.c"}, **keys}, text)
    write(
        project,
        "command",
        {"title": "t", "setup": PAIR, "command": "test -e /proc/sys/net/ipv4/conf/a -a -e /run/netns/other"},
    )
    done = run("matrix", "--matrix-file", project.matrix_file, "--results", folder / "r", seconds=900)
    return cells_of(folder / "r", done)


@pytest.mark.parametrize("kernel", [OLD, NEW])
@pytest.mark.parametrize("name", [*CASES, "y3-after", "y4-attached", "y6-shown", "command"])
def test_programs_run_where_they_are_attached(name: str, kernel: str, cells: dict[tuple[str, str], Any]) -> None:
    cell = cells[kernel, name]
    refused = kernel == OLD and name == "tcx-order"
    assert (cell["outcome"], cell["verdict"]) == (("refused", "xfail") if refused else ("works", "pass")), cell[
        "reason"
    ]


@pytest.mark.parametrize("kernel", [OLD, NEW])
@pytest.mark.parametrize("mode", ["native", "generic"])
def test_the_report_says_how_an_xdp_program_ran(mode: str, kernel: str, cells: dict[tuple[str, str], Any]) -> None:
    cell = cells[kernel, f"xdp-{mode}"]
    assert cell["xdp"] == {"packet": mode}
    assert cell["reason"].endswith(f"packet runs as {mode} XDP")


@pytest.mark.parametrize("kernel", [OLD, NEW])
@pytest.mark.parametrize(
    ("name", "outcome", "reason"),
    [
        ("y1-broken", "lost", "RuntimeError: on purpose"),
        ("y2-killed", "lost", "killed by SIGKILL"),
        ("y5-mistaken", "lost", "the case's setup makes no device c"),
    ],
)
def test_a_case_that_fails_leaves_nothing_and_says_why(
    name: str, outcome: str, reason: str, kernel: str, cells: dict[tuple[str, str], Any]
) -> None:
    cell = cells[kernel, name]
    assert (cell["outcome"], cell["verdict"]) == (outcome, "error")
    assert reason in cell["reason"]
    assert not [each for each in cell["differences"] if each["kind"] == "left"], cell["reason"]


@pytest.mark.parametrize(
    ("name", "module"), [("simple", "veth"), ("xdp-on-dummy", "dummy"), ("y4-attached", "veth"), ("command", "veth")]
)
def test_a_kernel_without_the_module_is_not_applicable_without_a_rule(
    name: str, module: str, cells: dict[tuple[str, str], Any]
) -> None:
    cell = cells[BARE, name]
    assert (cell["verdict"], cell["outcome"]) == ("not-applicable", "not-applicable"), cell["reason"]
    assert f"makes the case's setup by the module {module}, which this kernel does not have" in cell["reason"]


@pytest.mark.parametrize("name", ["groups", "group-flags", "pinned", "update-refused"])
def test_what_needs_no_module_works_there(name: str, cells: dict[tuple[str, str], Any]) -> None:
    assert cells[BARE, name]["verdict"] == "pass", cells[BARE, name]["reason"]
