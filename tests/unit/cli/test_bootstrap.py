"""./run: what it installs, how it learns from the plan what else is needed, and what it says where it cannot.

Each test has a project with the real `run`, on a machine whose programs are those of this one but for the emulators.
apt-get there is a script that writes down what it was asked for, and brings what such packages bring.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from unit_samples import ROOT

from harness.errors import EXIT_HARNESS, EXIT_USAGE, MissingToolError
from harness.host.emulators import EMULATORS, RUN, complaint, require, wish
from harness.model.architectures import ARCHITECTURES, host_architecture
from harness.run.options import Options
from harness.run.prepared import load_plan
from harness.supply.project import Project

APT_GET = """\
#!/bin/sh
echo "apt-get $*" >>"$LOG"
test "$1" = install || exit 0
test -z "$APT_FAILS" || { echo "E: Unable to locate package $APT_FAILS" >&2; exit 100; }
for package; do
    case $package in
"""
EMULATOR = '#!/bin/sh\necho "QEMU emulator version 7.2.0"\n'

INVOKE = """\
#!/bin/sh
echo "invoke $* RUN=$BPFMATRIX_RUN EMULATORS=$BPFMATRIX_EMULATORS" >>"$LOG"
"""

CASE = """\
title: t
target: {object: a.bpf.c}
trigger: {kind: tcp-connect}
observe: {}
"""

OWN = host_architecture()
OTHERS = [arch for arch in ARCHITECTURES.values() if arch is not OWN]


class Machine:
    """A project with the real `run`, and a machine without emulators. `log` is what was started, line by line."""

    def __init__(self, folder: Path, *, programs: Path) -> None:
        self.root = folder / "project"
        self.bin = folder / "bin"
        self.path = f"{self.bin}:{programs}"
        self._log = folder / "log"
        self.bin.mkdir()
        for name in ("clang", "llvm-strip"):  # where they are, they are
            if not (programs / name).exists():
                self.script(self.bin / name, EMULATOR)
        brings = "".join(
            f"    {arch.qemu_package}) printf '%s' '{EMULATOR}' >{self.bin}/{arch.qemu};"
            f" chmod +x {self.bin}/{arch.qemu} ;;\n"
            for arch in ARCHITECTURES.values()
        )
        self.script(self.bin / "apt-get", f"{APT_GET}{brings}    esac\ndone\n")
        self.script(self.bin / "sudo", '#!/bin/sh\ntest "$1" = -n && shift\nexec "$@"\n')
        venv = self.root / ".venv/bin"
        venv.mkdir(parents=True)
        self.script(venv / "invoke", INVOKE)
        for name in ("requirements.txt", "requirements-dev.txt"):
            (self.root / name).touch()
            (self.root / f".venv/.installed-{name}").touch()
        shutil.copy(ROOT / "run", self.root / "run")
        (self.root / "tasks.py").symlink_to(ROOT / "tasks.py")

    @staticmethod
    def script(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def has(self, *names: str) -> None:
        """Have the emulators of these architectures."""
        for name in names:
            self.script(self.bin / ARCHITECTURES[name].qemu, EMULATOR)

    def real(self, kernels: Mapping[str, str]) -> None:
        """Have the real command line, and a matrix of `kernels` (name to architecture), whose files are missing."""
        self.script(self.root / ".venv/bin/invoke", f'#!/bin/sh\nexec {sys.executable} -m invoke "$@"\n')
        lines = [
            f"  - {{name: '{name}', arch: {arch}, source: path, image: nowhere}}\n" for name, arch in kernels.items()
        ]
        (self.root / "matrix.yaml").write_text(f"kernels:\n{''.join(lines)}")
        (self.root / "bpf/a").mkdir(parents=True)
        (self.root / "bpf/a/case.yaml").write_text(CASE)
        (self.root / "bpf/a/a.bpf.c").write_text('char gpl[] __attribute__((section("license"))) = "GPL";\n')

    def run(self, *arguments: str, program: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program or self.root / "run", *arguments],
            cwd=self.root,
            env={"PATH": self.path, "LOG": str(self._log), "HOME": str(self.root), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def arches(self, **wanted: Any) -> set[str]:
        """Return the architectures of the plan that a run with these options has."""
        _, plan = load_plan(Options(project=Project(matrix_file=self.root / "matrix.yaml"), **wanted))
        return {kernel.arch for kernel in plan.kernels}

    @property
    def log(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    def installed(self) -> list[list[str]]:
        """Return the packages of each `apt-get install`."""
        return [
            [word for word in line.split()[2:] if not word.startswith("-")]
            for line in self.log
            if line.startswith("apt-get install")
        ]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of this machine, but for emulators and what installs them."""
    folder = tmp_path_factory.mktemp("programs")
    for place in ("/usr/sbin", "/usr/bin"):
        for program in Path(place).iterdir():
            link = folder / program.name
            if not program.name.startswith(("qemu-system-", "apt-get", "sudo")) and not link.is_symlink():
                link.symlink_to(program)
    return folder


@pytest.fixture
def machine(tmp_path: Path, programs: Path) -> Machine:
    if OWN is None:
        pytest.skip("this machine is of no architecture of the table")
    return Machine(tmp_path, programs=programs)


def own() -> str:
    return OWN.name if OWN else ""


def other() -> str:
    return OTHERS[0].name


def test_packages_are_named_as_in_the_table() -> None:
    """`run` cannot read the table: what would install Python has to come before it."""
    text = (ROOT / "run").read_text()
    for arch in ARCHITECTURES.values():
        (machine_name,) = arch.machines
        lines = [line for line in text.splitlines() if f"want {arch.qemu_package} {arch.qemu} ;;" in line]
        assert len(lines) == 1
        names = lines[0].partition(")")[0].split("|")
        assert {arch.name, machine_name} <= {name.strip() for name in names}


def test_the_hosts_emulator_is_installed(machine: Machine) -> None:
    done = machine.run("matrix")
    assert done.returncode == 0, done.stderr
    assert machine.installed() == [[ARCHITECTURES[own()].qemu_package]]
    assert machine.log[-1] == f"invoke matrix RUN={machine.root}/run EMULATORS="


@pytest.mark.parametrize(
    "arguments",
    [("matrix", "--kernel", "6.1-*"), ("matrix", "--kernel=6.12-s390x"), ("matrix", "--arch", "all"), ("kernels",)],
)
def test_no_word_of_the_command_line_installs_anything(machine: Machine, arguments: tuple[str, ...]) -> None:
    machine.has(own())
    assert machine.run(*arguments).returncode == 0
    assert machine.installed() == []


def test_the_tests_need_two_more(machine: Machine) -> None:
    machine.has(own())
    assert machine.run("test").returncode == 0
    wanted = [ARCHITECTURES[name].qemu_package for name in ("arm64", "s390x") if name != own()]
    assert machine.installed() == [wanted]
    # The tests start the command line with emulators missing: nothing may be installed then.
    assert machine.log[-1] == "invoke test RUN= EMULATORS="


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody is asked for a password for what may not be needed")
def test_check_asks_once_for_what_it_may_need_and_goes_on_without(machine: Machine) -> None:
    machine.has(own())
    script = machine.root / "run"
    script.write_text(script.read_text().replace("bpftool", "no-such-tool"))  # this machine may have the real one
    assert machine.run("matrix").returncode == 0
    assert machine.installed() == []
    first = machine.run("check", "a.o", APT_FAILS="no-such-tool")
    assert (first.returncode, machine.installed()) == (0, [["no-such-tool"]])
    assert "there is no no-such-tool" in first.stderr
    assert machine.run("check", "a.o").returncode == 0
    assert machine.installed() == [["no-such-tool"]]
    (machine.root / ".venv/.no-no-such-tool").unlink()
    assert machine.run("check", "a.o").returncode == 0
    assert machine.installed() == [["no-such-tool"]] * 2


def test_what_is_asked_for_is_installed_and_not_asked_for_again(machine: Machine) -> None:
    machine.has(own())
    asked = wish(ARCHITECTURES[name] for name in ("s390x", "ppc64le") if name != own())
    assert machine.run("matrix", "--kernel", "x y", **{EMULATORS: asked, RUN: "/x"}).returncode == 0
    assert machine.installed() == [[ARCHITECTURES[n].qemu_package for n in ("s390x", "ppc64le") if n != own()]]
    assert machine.log[-1] == "invoke matrix --kernel x y RUN= EMULATORS="


@pytest.mark.parametrize("wanted", [{"kernels": ["6.1-*"]}, {"kernels": ["6.1-own"]}, {"cases": ["a"]}, {}])
def test_a_plan_may_need_no_other_emulator_than_the_hosts(machine: Machine, wanted: dict[str, list[str]]) -> None:
    machine.real({"6.1-own": own(), "6.1-ppc64le-x86_64-all": other()})
    assert machine.arches(**wanted) == {own()}


@pytest.mark.parametrize(
    ("wanted", "also"),
    [
        ({"kernels": ["6.2-*"]}, set()),
        ({"arches": ["all"]}, {own()}),
        ({"kernels": ["6.*"], "arches": [other()]}, set()),
        ({"arches": [other()]}, set()),
    ],
)
def test_a_plan_may_need_another_emulator(machine: Machine, wanted: dict[str, list[str]], also: set[str]) -> None:
    machine.real({"6.1-own": own(), "6.2-blue": other()})
    assert machine.arches(**wanted) == {other(), *also}


def test_the_plan_decides_that_nothing_more_is_needed(machine: Machine) -> None:
    """The README's own --kernel '6.1-*' once asked for the emulator of ppc64le: its name has "6.1-" in it."""
    machine.real({"6.1-own": own(), "6.1-ppc64le-x86_64-all": other()})
    machine.has(own())
    done = machine.run("matrix", "--kernel", "6.1-*")
    assert (done.returncode, machine.installed()) == (EXIT_USAGE, []), done.stderr
    assert "6.1-own" in done.stderr, "its missing file ends the run"


def test_the_plan_decides_what_more_is_needed(machine: Machine) -> None:
    machine.real({"6.1-own": own(), "6.2-blue": other()})
    machine.has(own())
    done = machine.run("matrix", "--kernel", "6.*", f"--arch={other()}")
    assert machine.installed() == [[ARCHITECTURES[other()].qemu_package]], done.stderr
    assert done.returncode == EXIT_USAGE, "then the command goes on: the missing file ends the run"
    assert "installing Debian packages: " in done.stderr


def test_the_plan_is_that_of_the_matrix_file_that_is_named(machine: Machine) -> None:
    machine.real({"6.1": own()})
    machine.has(own())
    (machine.root / "mine.yaml").write_text((machine.root / "matrix.yaml").read_text().replace(own(), other()))
    done = machine.run("matrix", "--kernel", "6.1", "--matrix-file", "mine.yaml")
    assert machine.installed() == [[ARCHITECTURES[other()].qemu_package]], done.stderr


@pytest.mark.parametrize("command", [("shell", "--kernel", "6.2"), ("watch", "--kernel", "6.2", "--case", "a")])
def test_other_commands_that_boot_guests_ask_too(machine: Machine, command: tuple[str, ...]) -> None:
    machine.real({"6.1": own(), "6.2": other()})
    machine.has(own())
    # So that watch ends by itself, the package brings nothing.
    machine.script(machine.bin / "apt-get", APT_GET + "    esac\ndone\n")
    done = machine.run(*command)
    assert machine.installed() == [[ARCHITECTURES[other()].qemu_package]], done.stderr
    assert done.returncode == EXIT_HARNESS
    assert f"{ARCHITECTURES[other()].qemu} is not installed" in done.stderr


def test_a_package_that_does_not_bring_it_is_not_asked_for_for_ever(machine: Machine) -> None:
    machine.real({"6.2": other()})
    machine.has(own())
    machine.script(machine.bin / "apt-get", APT_GET + "    esac\ndone\n")
    done = machine.run("matrix", "--kernel", "6.2")
    assert done.returncode == EXIT_HARNESS
    assert len(machine.installed()) == 1
    assert f"apt-get install {ARCHITECTURES[other()].qemu_package}" in done.stderr


def test_where_apt_get_fails_its_message_and_what_to_do_are_shown(machine: Machine) -> None:
    machine.real({"6.2": other()})
    machine.has(own())
    package = ARCHITECTURES[other()].qemu_package
    done = machine.run("matrix", "--kernel", "6.2", APT_FAILS=package)
    assert done.returncode == EXIT_HARNESS
    assert f"E: Unable to locate package {package}" in done.stderr
    assert f"apt-get could not install {package}" in done.stderr
    assert "/etc/apt/sources.list" in done.stderr


def test_without_run_the_message_names_all_packages(machine: Machine) -> None:
    machine.real({"6.1": own(), "6.2": other()})
    done = machine.run("matrix", "--arch", "all", program=str(machine.root / ".venv/bin/invoke"))
    assert (done.returncode, machine.installed()) == (EXIT_HARNESS, [])
    for name in (own(), other()):
        assert f"{ARCHITECTURES[name].qemu} is not installed; it is needed to boot {name} kernels." in done.stderr
    packages = f"{ARCHITECTURES[own()].qemu_package} {ARCHITECTURES[other()].qemu_package}"
    assert f"Install with: apt-get install {packages} (or let ./run do it)" in done.stderr


def test_a_package_of_two_emulators_is_named_once() -> None:
    text = complaint([ARCHITECTURES["s390x"], ARCHITECTURES["s390x"]])
    assert text.splitlines()[-1] == "Install with: apt-get install qemu-system-s390x (or let ./run do it)"


def test_what_is_installed_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.host.emulators.has_tool", lambda _: True)
    require(ARCHITECTURES, run="/nowhere/run")


def test_without_run_a_missing_emulator_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.host.emulators.has_tool", lambda name: name != "qemu-system-s390x")
    assert RUN not in os.environ
    require(["x86_64", "x86_64"])
    with pytest.raises(MissingToolError, match="apt-get install qemu-system-s390x"):
        require(["x86_64", "s390x"])
