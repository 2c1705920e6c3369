"""What the triggers of a case can say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.config.triggers import Address, CallTrigger, Reference, RunTrigger, TcpConnectTrigger, Trigger

TRIGGER: TypeAdapter[Any] = TypeAdapter(Trigger)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.0.2.7"])
def test_an_address_is_one_of_either_kind(address: str) -> None:
    assert TypeAdapter(Address).validate_python(address) == address


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:80", "127.1", "", "::1/64"])
def test_a_name_or_half_an_address_is_none(address: str) -> None:
    with pytest.raises(ValidationError, match="expected an IP address"):
        TypeAdapter(Address).validate_python(address)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ({"kind": "tcp-connect"}, TcpConnectTrigger),
        ({"kind": "run", "program": "target.main"}, RunTrigger),
        ({"kind": "call", "name": "getpgid"}, CallTrigger),
    ],
)
def test_its_kind_says_which_trigger_it_is(written: dict[str, str], kind: type) -> None:
    assert isinstance(TRIGGER.validate_python(written), kind)


@pytest.mark.parametrize("wrong", [{"kind": "tcp"}, {"kind": "call", "name": "fork"}, {"kind": "run"}, {}])
def test_what_no_trigger_is(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        TRIGGER.validate_python(wrong)


@pytest.mark.parametrize("wrong", ["main", "target.", ".main", "target.main.x", "Target.main"])
def test_a_program_is_given_with_its_object(wrong: str) -> None:
    assert TypeAdapter(Reference).validate_python("target.main") == "target.main"
    with pytest.raises(ValidationError):
        TypeAdapter(Reference).validate_python(wrong)
