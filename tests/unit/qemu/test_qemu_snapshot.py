from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from harness.errors import QemuError
from harness.qemu import snapshot
from harness.qemu.monitor import Monitor
from harness.qemu.snapshot import load_state, resume, save_state


class FakeMonitor:
    """Answers as QEMU's monitor does: a migration that goes through some states."""

    def __init__(self, *states: dict[str, Any], refuse: str = "") -> None:
        self.states = list(states)
        self.refuse = refuse
        self.asked: list[tuple[str, Any]] = []

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> Any:
        self.asked.append((name, arguments))
        if name == self.refuse:
            raise QemuError(f"QEMU's monitor failed while {name}: no")
        if name == "query-migrate":
            return self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {}

    @property
    def names(self) -> list[str]:
        names = [name for name, _ in self.asked]
        return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]

    def given(self, name: str) -> Any:
        return next(arguments for each, arguments in self.asked if each == name)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "SECONDS", 0.2)


def save(monitor: FakeMonitor, path: Path = Path("/s/state")) -> None:
    save_state(cast(Monitor, monitor), path)


def load(monitor: FakeMonitor, path: Path = Path("/s/state")) -> None:
    load_state(cast(Monitor, monitor), path)
    assert "cont" not in monitor.names, "its bytes may still be looked at"
    resume(cast(Monitor, monitor))


GOING = [{}, {"status": "setup"}, {"status": "active"}, {"status": "device"}, {"status": "completed"}]


def test_the_guest_is_stopped_for_good_and_its_memory_left_out() -> None:
    monitor = FakeMonitor(*GOING)
    save(monitor)
    assert monitor.names == ["stop", "migrate-set-capabilities", "migrate", "query-migrate"]
    (capability,) = monitor.given("migrate-set-capabilities")["capabilities"]
    assert capability == {"capability": "x-ignore-shared", "state": True}
    assert monitor.states == [{"status": "completed"}], "it waits until QEMU has written everything"


def test_a_restored_guest_runs_only_when_it_has_its_whole_state() -> None:
    monitor = FakeMonitor(*GOING)
    load(monitor)
    assert monitor.names == ["migrate-set-capabilities", "migrate-incoming", "query-migrate", "cont"]
    assert monitor.states == [{"status": "completed"}]


@pytest.mark.parametrize(("how", "name"), [(save, "migrate"), (load, "migrate-incoming")])
def test_a_path_is_one_word_of_the_shell(how: Any, name: str) -> None:
    monitor = FakeMonitor({"status": "completed"})
    how(monitor, Path("/a b/$(x)'s/state"))
    word = "'/a b/$(x)'\"'\"'s/state'"
    assert monitor.given(name)["uri"] == (f"exec:cat > {word}" if how is save else f"exec:cat {word}")


@pytest.mark.parametrize(("how", "doing"), [(save, "saving"), (load, "restoring")])
@pytest.mark.parametrize("status", ["failed", "cancelled", "postcopy-paused"])
def test_a_failure_is_told_with_qemus_words(how: Any, doing: str, status: str) -> None:
    monitor = FakeMonitor({"status": "active"}, {"status": status, "error-desc": "No space left on device"})
    with pytest.raises(QemuError, match=f"QEMU failed at {doing} the guest's state: {status} No space left"):
        how(monitor)
    assert "cont" not in monitor.names


@pytest.mark.parametrize("how", [save, load])
def test_one_that_does_not_come_to_an_end_is_given_up(how: Any) -> None:
    monitor = FakeMonitor({"status": "active"})
    with pytest.raises(QemuError, match=r"the guest's state: active$"):
        how(monitor)
    assert "cont" not in monitor.names


@pytest.mark.parametrize("command", ["migrate-set-capabilities", "migrate-incoming", "cont"])
def test_a_qemu_that_cannot_do_it_is_told(command: str) -> None:
    with pytest.raises(QemuError, match=command):
        load(FakeMonitor({"status": "completed"}, refuse=command))
