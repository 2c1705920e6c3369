""".ci/in-suite: what it decides, and that nothing is left of what it runs, however it ends."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
from unit_samples import ROOT

from harness.errors import MirrorError
from harness.supply.debian.mirrors import Mirrors

SCRIPT = ROOT / ".ci/in-suite"


def load() -> ModuleType:
    loader = SourceFileLoader("in_suite", str(SCRIPT))
    spec = importlib.util.spec_from_loader("in_suite", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["in_suite"] = module  # dataclasses look their module up
    loader.exec_module(module)
    return module


in_suite = load()
MIRRORS = Mirrors({"debian": "http://m.example/debian", "debian-security": "http://m.example/debian-security"}, {})


def test_without_a_command_the_readmes_two_are_run() -> None:
    options = in_suite.parse(["trixie"])
    assert (options.suite, options.root, options.cache) == ("trixie", None, None)
    assert options.commands == (("./run", "matrix"), ("./run", "test"))
    readme = (ROOT / "README.md").read_text()
    assert all(f"    {' '.join(command)}  " in readme for command in options.commands)


def test_what_follows_the_dashes_is_the_command() -> None:
    options = in_suite.parse(["forky", "--root", "/r", "--cache", "c", "--", "./run", "test", "--no-vm", "--", "x"])
    assert (options.suite, options.root, options.cache) == ("forky", Path("/r"), Path.cwd() / "c")
    assert options.commands == (("./run", "test", "--no-vm", "--", "x"),)


@pytest.mark.parametrize("line", [[], ["--", "true"], ["trixie", "./run"], ["trixie", "--rooot", "x"]])
def test_a_wrong_command_line_is_refused(line: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        in_suite.parse(line)
    assert caught.value.code == 2


def test_sources_are_those_of_such_a_machine() -> None:
    assert in_suite.sources("trixie", MIRRORS) == [
        "deb http://m.example/debian trixie main",
        "deb http://m.example/debian trixie-updates main",
        "deb http://m.example/debian-security trixie-security main",
    ]
    assert in_suite.sources("sid", MIRRORS) == ["deb http://m.example/debian sid main"]


def test_without_a_mirror_the_variable_is_named() -> None:
    with pytest.raises(MirrorError, match="BPFMATRIX_DEBIAN_MIRROR"):
        in_suite.sources("trixie", Mirrors({}, {}))


def test_the_environment_is_roots_and_says_where_packages_come_from() -> None:
    host = {
        "HOME": "/home/u",
        "PATH": "/opt/bin",
        "PYTHONPATH": "/x",
        "VIRTUAL_ENV": "/v",
        "BPFMATRIX_CACHE": "/home/u/.cache",
        "BPFMATRIX_DEBIAN_MIRROR": "http://m.example/debian",
        "PIP_INDEX_URL": "http://i.example",
        "https_proxy": "http://p.example",
        "SSL_CERT_FILE": "/c.crt",
        "CI": "true",
    }
    own = in_suite.environment(host, cache=False)
    assert own.pop("PATH").endswith("/usr/bin:/sbin:/bin")
    assert own == {
        "HOME": "/root",
        "BPFMATRIX_DEBIAN_MIRROR": "http://m.example/debian",
        "PIP_INDEX_URL": "http://i.example",
        "https_proxy": "http://p.example",
        "SSL_CERT_FILE": "/c.crt",
        "CI": "true",
    }
    assert in_suite.environment(host, cache=True)["BPFMATRIX_CACHE"] == "/var/cache/bpfmatrix"


def test_paths_of_pips_configuration() -> None:
    texts = [
        "[global]\nfind-links = /opt/wheels\n  https://w.example/\ncert = /c.crt\n",
        "[install]\nextra-index-url = file:///opt/a/simple file:///opt/b/simple\nindex-url = https://i.example/simple\n",
    ]
    found = in_suite.pip_paths(texts, {"PIP_FIND_LINKS": "/opt/wheels relative", "PIP_INDEX_URL": "/opt/c/simple"})
    # An index is its folder and what lies beside it: its links lead there.
    assert found == [Path(name) for name in ("/opt/wheels", "/c.crt", "/opt/c", "/opt/a", "/opt/b")]


def test_a_folder_with_something_else_in_it_is_no_root(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(in_suite.SuiteError, match="is not empty"):
        in_suite.make_root(tmp_path, "trixie")
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_root_of_another_suite_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/bpfmatrix-suite").write_text("bookworm\n")
    in_suite.make_root(tmp_path, "bookworm")
    with pytest.raises(in_suite.SuiteError, match="holds a root of bookworm, not of trixie"):
        in_suite.make_root(tmp_path, "trixie")


def test_a_root_serves_one_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/bpfmatrix-suite").write_text("bookworm\n")
    lock = in_suite.occupy(tmp_path)
    with pytest.raises(in_suite.SuiteError, match="is in use"):
        in_suite.occupy(tmp_path)
    os.close(lock)
    os.close(in_suite.occupy(tmp_path))


# --- running: real namespaces, over a root that has nothing but the host's /usr -----------------------------------

DRIVER = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_in_suite import in_suite
try:
    code = in_suite.run_in(
        Path(sys.argv[1]), sys.argv[2:], variables={{"PATH": "/usr/bin:/usr/sbin"}}, mounts={{Path("/usr"): False}}
    )
except KeyboardInterrupt:
    code = "interrupted"
print("code", code)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    namespaces = ["unshare", "--mount", "--pid", "--fork", "mount", "--make-rprivate", "/"]
    if os.geteuid() != 0 or subprocess.run(namespaces, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root, with CAP_SYS_ADMIN, can make these namespaces")
    for name in ("proc", "sys", "dev", "usr", "tmp", "src/bpfmatrix"):
        (tmp_path / "root" / name).mkdir(parents=True)
    for path in Path("/").iterdir():  # bin, lib, lib64
        if path.is_symlink() and str(path.readlink()).startswith("usr/"):
            (tmp_path / "root" / path.name).symlink_to(path.readlink())
    return tmp_path / "root"


@pytest.fixture
def nothing_is_left(root: Path) -> Iterator[None]:
    yield
    assert str(root) not in Path("/proc/self/mountinfo").read_text()
    deadline = time.monotonic() + 10
    while found := processes_in(root):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def processes_in(root: Path) -> list[str]:
    """Return the processes that say the name of the root in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(root) in line and int(process.name) != os.getpid():
            found.append(f"{process.name}: {line}")
    return found


def start(root: Path, script: str) -> subprocess.Popen[str]:
    # The root's name is an argument of the command, too, so that it can be found.
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(root), "sh", "-c", script, str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -KILL $$", 137), ("exec no-such-program", 127)])
@pytest.mark.usefixtures("nothing_is_left")
def test_the_commands_exit_code_is_returned(root: Path, script: str, code: int) -> None:
    output, _ = start(root, script).communicate(timeout=60)
    assert output.splitlines()[-1] == f"code {code}"


@pytest.mark.usefixtures("nothing_is_left")
def test_the_command_sees_the_root_as_a_machine(root: Path) -> None:
    looks, tries = "pwd; ls -d /proc/[0-9]* | wc -l; ls /", "test -c /dev/null && touch /tmp/w && ! touch /usr/w 2>&1"
    script = f"{looks}; {tries} && echo ok"
    output, _ = start(root, script).communicate(timeout=60)
    line = output.split()
    assert line[0] == "/src/bpfmatrix"
    assert int(line[1]) < 10, "it sees no process but its own"
    assert "ok" in line
    assert (root / "tmp/w").exists()
    # A user namespace can be made in it, which is not so after a mere chroot.
    output, _ = start(root, "unshare --user --map-root-user echo made").communicate(timeout=60)
    assert "made" in output


@pytest.mark.usefixtures("nothing_is_left")
def test_what_the_command_leaves_behind_is_ended(root: Path) -> None:
    output, _ = start(root, 'setsid sh -c "sleep 1000; : $0" "$0" >/dev/null 2>&1 & sleep 0.2; exit 0').communicate(
        timeout=60
    )
    assert output.splitlines()[-1] == "code 0"


@pytest.mark.usefixtures("nothing_is_left")
def test_a_term_lets_the_command_clean_up(root: Path) -> None:
    process = start(root, 'trap "echo cleaned; exit 0" TERM; echo ready; while :; do sleep 0.1; done')
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    output, _ = process.communicate(timeout=60)
    assert "cleaned" in output
    assert output.splitlines()[-1] == "code interrupted"


@pytest.mark.usefixtures("nothing_is_left")
def test_nothing_outlives_a_script_that_is_killed(root: Path) -> None:
    process = start(root, 'trap "" TERM INT HUP; echo ready; while :; do sleep 0.1; done')
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)


def test_the_script_says_who_may_run_it(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        done = subprocess.run([SCRIPT, "trixie"], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "sudo" in done.stderr) == (3, True)
    done = subprocess.run(
        [sys.executable, SCRIPT, "trixie", "--root", str(tmp_path / "root"), "--", "true"],
        env={"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "mmdebstrap is not installed. Type: apt-get install mmdebstrap" in done.stderr or os.geteuid() != 0
