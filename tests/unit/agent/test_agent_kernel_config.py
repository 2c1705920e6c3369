"""What a case needs of the kernel's configuration."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_pipe import Pipe
from agent_samples import Clean, Played, Quiet

from harness.agent import kernel_config as kernel_config_module
from harness.agent.kernel_config import configured_otherwise, kernel_config
from harness.agent.reporter import Reporter
from harness.agent.serve import run_case

CONFIG = (
    "# Linux/x86 6.1.0 Kernel Configuration\nCONFIG_BPF=y\nCONFIG_VETH=m\nCONFIG_HZ=250\nCONFIG_START=0x1000000\n"
    '# CONFIG_BPF_LSM is not set\nCONFIG_LSM="lockdown,yama"\nCONFIG_TEXT="a \\"b\\" \\\\ c"\nCONFIG_EMPTY=""\n'
)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A guest with /boot/config-RELEASE and without /proc/config.gz."""
    monkeypatch.setattr("harness.agent.kernel_config.CONFIG_OF_KERNEL", str(tmp_path / "config.gz"))
    monkeypatch.setattr("harness.agent.kernel_config.CONFIG_FILE", str(tmp_path / "config-"))
    (tmp_path / f"config-{os.uname().release}").write_text(CONFIG)
    kernel_config.cache_clear()
    yield tmp_path
    kernel_config.cache_clear()


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("BPF", ["y"]),
        ("VETH", ["y", "m"]),
        ("HZ", [250]),
        ("HZ", ["250"]),
        ("START", [0x1000000]),
        ("START", ["0x1000000"]),
        ("BPF_LSM", ["n"]),
        ("NO_SUCH_OPTION", ["n"]),
        ("LSM", ["lockdown,yama"]),
        ("TEXT", ['a "b" \\ c']),
        ("EMPTY", [""]),
    ],
)
def test_an_option_that_is_as_the_case_needs_it_is_no_hindrance(config: Path, option: str, values: list[Any]) -> None:
    assert configured_otherwise({f"CONFIG_{option}": values}) is None


@pytest.mark.parametrize(
    ("option", "values", "wanted"),
    [
        ("BPF_LSM", ["y"], {"value": "y", "errno_name": "ENOENT", "missing": True}),
        ("NO_SUCH_OPTION", ["y", 1], {"value": "y or 1", "errno_name": "ENOENT", "missing": True}),
        ("VETH", ["y"], {"value": "y", "errno_name": "EINVAL", "missing": False, "found": "m"}),
        ("VETH", ["n"], {"value": "n", "errno_name": "EINVAL", "missing": False, "found": "m"}),
        ("BPF", [1], {"value": 1, "errno_name": "EINVAL", "missing": False, "found": "y"}),
        ("HZ", [1000], {"value": 1000, "errno_name": "EINVAL", "missing": False, "found": "250"}),
        ("EMPTY", ["y"], {"value": "y", "errno_name": "EINVAL", "missing": False, "found": ""}),
    ],
)
def test_an_option_that_is_otherwise_ends_the_case(
    config: Path, option: str, values: list[Any], wanted: dict[str, Any]
) -> None:
    end: Any = configured_otherwise({"CONFIG_BPF": ["y"], f"CONFIG_{option}": values})
    assert end["precondition"] == {"cause": "kconfig", "name": f"CONFIG_{option}", **wanted}
    assert end["complete"]


@pytest.mark.parametrize("value", ["y", "n"])
def test_a_guest_without_a_configuration_says_so(config: Path, value: str) -> None:
    (config / f"config-{os.uname().release}").unlink()
    end: Any = configured_otherwise({"CONFIG_BPF": [value]})
    wanted = {"cause": "kconfig", "name": "CONFIG_BPF", "value": value, "errno_name": "ENODATA", "missing": False}
    assert end["precondition"] == wanted


def test_the_kernels_own_configuration_comes_first_and_is_read_once(config: Path) -> None:
    (config / "config.gz").write_bytes(gzip.compress(b"CONFIG_BPF=m\n"))
    assert kernel_config() == {"CONFIG_BPF": "m"}
    (config / "config.gz").unlink()
    assert kernel_config() == {"CONFIG_BPF": "m"}


def test_a_case_on_another_configuration_neither_loads_a_module_nor_runs(
    config: Path, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("serve.load_modules", "sysctls.set_sysctl", "serve.run_child"):
        monkeypatch.setattr(f"harness.agent.{name}", lambda *_: pytest.fail("the case began"))
    case = {"id": "c", "deadline": 1, "kconfig": {"CONFIG_BPF_LSM": ["y"]}, "sysctls": {"a.b": 1}, "modules": [{}]}
    reporter = Reporter(pipe.writing)
    monkeypatch.setattr("harness.agent.serve.loaded_modules", set)
    assert run_case(reporter, Played(), Quiet(), case, before=Clean()) is None
    reporter.flush()
    (begin, end) = pipe.lines()
    assert (begin["type"], end["precondition"]["name"]) == ("case", "CONFIG_BPF_LSM")


def test_a_case_that_needs_nothing_of_the_configuration_does_not_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.agent.kernel_config.kernel_config", lambda: pytest.fail("it was read"))
    assert configured_otherwise({}) is None


def test_options_that_rules_ask_for_have_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_config_module, "kernel_config", lambda: {"CONFIG_HZ": "250"})
    assert kernel_config_module.values_of(["CONFIG_HZ", "CONFIG_BPF_LSM"]) == {
        "CONFIG_HZ": "250",
        "CONFIG_BPF_LSM": "n",
    }
    monkeypatch.setattr(kernel_config_module, "kernel_config", dict)
    assert kernel_config_module.values_of(["CONFIG_HZ"]) == {}
