"""Places are looked up in the setup of their case before any guest starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.config.case_folders import load_case
from harness.errors import ConfigError
from harness.model.listing import Listing
from harness.scenario.case import Case
from harness.supply.names import resolve

PROGRAMS = {
    "packet": "xdp",
    "shaped": "tc",
    "ordered": "tcx/ingress",
    "opened": "cgroup/dev",
    "looked": "sk_lookup",
    "probed": "kprobe",
    "sent": "socket",
}
SETUP = [
    {"make": "namespace", "name": "other"},
    {"make": "veth", "name": "left", "peer": "right", "peer-namespace": "other"},
    {"make": "cgroup", "name": "one"},
]


def case(folder: Path, *steps: dict[str, Any], setup: Any = SETUP, **load: Any) -> Case:
    (folder / "case").mkdir()
    (folder / "case/p.bpf.c").touch()
    first = {"do": "load", "object": "target", **load}
    keys = {"title": "t", "setup": setup, "objects": {"target": "p.bpf.c"}, "steps": [first, *steps]}
    (folder / "case/case.yaml").write_text(yaml.safe_dump(keys, sort_keys=False))
    listing = Listing(programs=PROGRAMS, maps={"numbers": 2}, functions={})
    return resolve(load_case(folder / "case"), {"p.bpf.c": listing})


def attach(program: str, to: Any = None, **more: Any) -> dict[str, Any]:
    return {"do": "attach", "program": f"target.{program}", **({} if to is None else {"to": to}), **more}


def complaint(folder: Path, *steps: dict[str, Any], **more: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        case(folder, *steps, **more)
    return str(caught.value).partition("case.yaml:")[2]


def test_what_is_there_is_right(tmp_path: Path) -> None:
    found = case(
        tmp_path,
        attach("packet", {"device": "left", "mode": "native"}),
        attach("ordered", {"device": "right"}, link="first"),
        attach("ordered", {"device": "right", "before": "first"}),
        attach("opened", {"cgroup": "one", "flags": ["multi"]}),
        attach("looked", "other"),
        {"do": "update-link", "link": "packet", "program": "target.packet"},
        {"do": "pin", "link": "packet", "path": "/sys/fs/bpf/x"},
        {"do": "pin", "map": "target.numbers", "path": "/sys/fs/bpf/y"},
        {"do": "unpin", "path": "/sys/fs/bpf/x"},
    )
    assert [step.what for step in found.steps[:3]] == ["namespace other", "veth left", "cgroup one"]
    assert [step.op for step in found.steps[-4:]] == ["update-link", "pin", "pin", "unpin"]
    assert found.attachers == ("veth",)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (
            attach("packet", {"device": "lef"}),
            'makes no device "lef"; did you mean "left"? (there are: lo,',
        ),
        (attach("packet", "lef"), 'steps[1].to: `setup` makes no device "lef"; did you mean "left"?'),
        (attach("opened", {"cgroup": "two"}), 'makes no control group "two" (there are: one)'),
        (attach("looked", {"namespace": "othr"}), 'makes no namespace "othr"; did you mean "other"?'),
        (attach("packet", {"cgroup": "one"}), 'a program of SEC("xdp") is attached to a device: give {device: NAME}'),
        (attach("packet", ["left", "right"]), 'a program of SEC("xdp") is attached to a device: give {device: NAME}'),
        (attach("packet", {"device": "left", "priority": 1}), "(keys that do: mode)"),
        (
            attach("probed", {"device": "left"}),
            'a program of SEC("kprobe") is attached to no device; sections',
        ),
        (attach("ordered", {"device": "left", "after": "firs"}), 'there is no link "firs" here'),
        (
            {"do": "trigger", "trigger": {"kind": "udp", "to": "10.9.8.2", "to-namespace": "othr"}},
            'steps[1].trigger.to-namespace: `setup` makes no namespace "othr"; did you mean "other"?',
        ),
        (
            {"do": "trigger", "trigger": {"kind": "ping", "to": "10.9.8.1", "from-namespace": "xyz"}},
            'steps[1].trigger.from-namespace: `setup` makes no namespace "xyz" (there are: other)',
        ),
        ({"do": "unpin", "path": "/sys/fs/bpf/x"}, "nothing is pinned at /sys/fs/bpf/x here (there are: none)"),
        ({"do": "pin", "link": "no", "path": "/sys/fs/bpf/x"}, 'there is no link "no" here'),
        ({"do": "update-link", "link": "no", "program": "target.packet"}, 'there is no link "no" here'),
        ({"do": "pin", "map": "target.no", "path": "/sys/fs/bpf/x"}, 'has no map "no"'),
        ({"do": "pin", "path": "/sys/fs/bpf/x"}, 'needs one of the keys "link", "program", "map"'),
    ],
)
def test_what_is_not_there_is_named(step: dict[str, Any], message: str, tmp_path: Path) -> None:
    assert message in complaint(tmp_path, step)


@pytest.mark.parametrize(
    ("made", "how"),
    [
        (attach("shaped", {"device": "left"}, link="l"), "as a filter"),
        (attach("opened", {"cgroup": "one", "flags": []}, link="l"), "with flags, by BPF_PROG_ATTACH"),
        (attach("sent", link="l"), "to a socket"),
    ],
)
@pytest.mark.parametrize(
    "step",
    [
        {"do": "pin", "link": "l", "path": "/sys/fs/bpf/x"},
        {"do": "update-link", "link": "l", "program": "target.shaped"},
        {"do": "info", "link": "l", "expect": {"type": 1}},
    ],
)
def test_what_the_kernel_has_no_link_for_is_named(
    made: dict[str, Any], how: str, step: dict[str, Any], tmp_path: Path
) -> None:
    assert f"l is attached {how}; the kernel has no link for it" in complaint(tmp_path, made, step)


def test_a_choice_beside_the_load_is_looked_up_too(tmp_path: Path) -> None:
    text = complaint(tmp_path, attach("packet"), **{"attach-to": {"packet": {"device": "lef"}}})
    assert 'steps[0].attach-to.packet.device: `setup` makes no device "lef"' in text
