from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from config_samples import CASE, write_case

from harness.config.base import ERRNO_NAMES
from harness.config.case_folders import load_case
from harness.config.rules import ExpectedOutcome
from harness.config.steps import EventPattern
from harness.config.triggers import TcpConnectTrigger
from harness.errors import ConfigError
from harness.model.results import OutcomeKind, Stage


def test_the_sample(tmp_path: Path) -> None:
    case = load_case(write_case(tmp_path / "kprobe-fentry-fexit"))
    assert (case.id, case.folder) == ("kprobe-fentry-fexit", tmp_path / "kprobe-fentry-fexit")
    assert case.description == "The target tail-calls a handler.\n"
    assert case.target is not None
    assert case.target.object == "target.bpf.c"
    assert case.target.attach == ("k_tcp_connect", "k_icsk_complete_hashdance")
    (slot,) = case.target.tail_calls
    assert (slot.map, slot.index, slot.program) == ("progs", 0, "handle_new_connection")
    assert case.tracer is not None
    assert case.tracer.shared_maps == ("events",)
    assert [tracer.function_name for tracer in case.tracer.attach] == ["k_tcp_connect", "k_tcp_connect_inner"]
    assert case.events == "events"
    assert case.trigger == TcpConnectTrigger(kind="tcp-connect", address="::1")
    assert case.observe is not None
    assert case.observe.client == (
        EventPattern(kind="fentry"),
        EventPattern(kind="kprobe"),
        EventPattern(kind="fexit", retval=0),
    )
    assert case.control is not None
    assert case.control.sides() == {"client": (EventPattern(kind="kprobe"),), "listener": ()}
    assert case.sysctls == {"net.core.bpf_jit_enable": 0, "kernel.core_pattern": "core"}
    assert (case.modules, case.deadline) == (("cls_bpf",), 20)
    refused, several, crashed, works = case.expect
    assert (refused.kind, refused.stage, refused.errno) == (
        OutcomeKind.REFUSED,
        Stage.ATTACH_TRACER,
        ("ENOTSUPP",),
    )
    assert several.errno == ("EINVAL", "EACCES")
    assert crashed.version == "==5.10.*"
    assert (works.arch, works.version, works.source) == (None, None, None)


def test_the_least_that_makes_a_case(tmp_path: Path) -> None:
    text = "title: t\ntarget: {object: target.bpf.o}\ntrigger: {kind: tcp-connect}\nobserve: {}\n"
    folder = write_case(tmp_path / "least", text, sources=())
    (folder / "target.bpf.o").touch()
    case = load_case(folder)
    assert case.trigger == TcpConnectTrigger(kind="tcp-connect", address="127.0.0.1")
    assert case.observe is not None
    assert case.target is not None
    assert case.observe.sides() == {}
    assert (case.tracer, case.control, case.events, case.deadline) == (None, None, None, None)
    assert (case.target.attach, case.target.tail_calls, case.modules, case.expect) == ((), (), (), ())


def test_a_case_equals_itself_and_can_be_a_key(tmp_path: Path) -> None:
    folder = write_case(tmp_path / "a")
    assert {load_case(folder): 1} == {load_case(folder): 1}
    assert load_case(folder) != load_case(write_case(tmp_path / "b"))


def test_id_and_folder_are_not_keys_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"case\.yaml:1: id: unknown key") as caught:
        load_case(write_case(tmp_path / "a", "id: b\nfolder: c\n" + CASE))
    assert "case.yaml:2: folder: unknown key" in str(caught.value)


def test_expected_outcomes_are_outcomes() -> None:
    others = {OutcomeKind.LOST, OutcomeKind.NOT_RUN}
    assert {OutcomeKind(name) for name in get_args(ExpectedOutcome)} == set(OutcomeKind) - others


def test_errno_names() -> None:
    assert {"EINVAL", "EACCES", "ENOTSUPP", "EOPNOTSUPP", "E2BIG", "EBUSY"} <= set(ERRNO_NAMES)
    assert not {"ENOTSUP", "EWOULDBLOCK"} & set(ERRNO_NAMES)
