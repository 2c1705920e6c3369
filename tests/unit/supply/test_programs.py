from __future__ import annotations

import importlib.util
import marshal
import sys
from pathlib import Path
from types import CodeType

import pytest
from unit_samples import ROOT

from harness.errors import ImageError
from harness.host.cache import Cache
from harness.supply.image import cpio
from harness.supply.image.guest_compiler import SERVICE
from harness.supply.image.programs import FOLDER, GuestPrograms, guest_programs, harness_programs

AGENT = "guest_agent.py"


SOURCES = {
    AGENT: b'"""Words."""\nfrom harness.agent.answers import ANSWER\n',
    "agent/answers.py": b'"""Words."""\nANSWER = 42\nassert ANSWER\n',
    SERVICE: b"import agent\n",
}


MODULES = {"harness.guest_agent": SOURCES[AGENT], "harness.agent.answers": SOURCES["agent/answers.py"]}


LOADER = f"""#!/bin/sh
shift 3
unset PYTHONHOME
exec {sys.executable} "$@"
"""
"""Stands for the image's dynamic loader: it is given --library-path, the libraries, the interpreter, and its words."""


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def base_of(folder: Path, *nodes: cpio.Node) -> Path:
    """A userland with just what compiling looks at."""
    path = folder / "base.cpio"
    path.write_bytes(
        cpio.archive(
            [
                cpio.folder("usr/lib/any-linux-gnu"),
                cpio.file("usr/bin/python3.13", b"the interpreter", executable=True),
                cpio.link("usr/bin/python3", "python3.13"),
                cpio.file("etc/shadow", b"not for this"),
                cpio.character_device("dev/console", major=5, minor=1),
                *nodes,
            ]
        )
    )
    return path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return base_of(tmp_path, cpio.file("usr/lib/any-linux-gnu/ld-linux.so.2", LOADER.encode(), executable=True))


def code_of_pyc(data: bytes) -> CodeType:
    assert data[:4] == importlib.util.MAGIC_NUMBER
    # A hash that is never looked at, so that no time stamp of the guest matters (PEP 552).
    assert int.from_bytes(data[4:8], "little") == 0b01
    code = marshal.loads(data[16:])
    assert isinstance(code, CodeType)
    return code


def test_without_a_userland_the_sources_go_into_the_guest(cache: Cache) -> None:
    made = guest_programs(SOURCES, cache=cache, base=None)
    nodes = (cpio.folder(FOLDER), cpio.file(f"{FOLDER}/{SERVICE}", SOURCES[SERVICE]))
    assert made == GuestPrograms(nodes=nodes, agent=made.agent)
    assert marshal.loads(made.agent) == MODULES


def test_the_same_sources_are_the_same_bytes(cache: Cache) -> None:
    """A snapshot's key has them."""
    twice = b"ANSWER = 42\n"
    one = {**SOURCES, "agent/one.py": twice, "agent/other.py": twice}
    other = {**SOURCES, "agent/one.py": twice, "agent/other.py": bytes(bytearray(twice))}
    made, again = (guest_programs(sources, cache=cache, base=None) for sources in (one, other))
    assert made.agent == again.agent


def test_the_userlands_own_python_compiles_them(cache: Cache, base: Path) -> None:
    made = guest_programs(SOURCES, cache=cache, base=base)
    folder, service = made.nodes
    assert folder == cpio.folder(FOLDER)
    assert service.path == f"{FOLDER}/{SERVICE}c"
    assert code_of_pyc(service.data).co_filename == f"harness/{SERVICE}", "no path of this machine goes into the guest"
    modules = marshal.loads(made.agent)
    assert set(modules) == set(MODULES)
    code = modules["harness.agent.answers"]
    assert code.co_filename == "harness/agent/answers.py"
    space: dict[str, object] = {}
    exec(code, space)
    assert space["ANSWER"] == 42
    assert space.get("__doc__") is None, "docstrings and assertions are left out"


def test_they_are_compiled_once_and_anew_when_one_of_them_or_the_userland_changes(cache: Cache, base: Path) -> None:
    def made() -> int:
        return len(list(cache.root.glob("programs/*/manifest.json")))

    first = guest_programs(SOURCES, cache=cache, base=base)
    assert guest_programs(SOURCES, cache=cache, base=base) == first
    assert made() == 1
    guest_programs({**SOURCES, "agent/answers.py": b"ANSWER = 43\n"}, cache=cache, base=base)
    assert made() == 2
    base.write_bytes(base.read_bytes() + bytes(512))
    guest_programs(SOURCES, cache=cache, base=base)
    assert made() == 3
    assert not list(cache.root.glob("programs/.*")), "the unpacked interpreter is not kept"


def test_a_program_that_does_not_compile_is_told(cache: Cache, base: Path) -> None:
    with pytest.raises(ImageError, match=r"the guest's programs do not compile: (.|\n)*guest_agent\.py.*line 2"):
        guest_programs({**SOURCES, AGENT: b"fine = 1\nnot fine at all\n"}, cache=cache, base=base)
    assert not list(cache.root.glob("programs/*"))


def test_a_userland_without_a_loader_is_told(cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no dynamic loader"):
        guest_programs(SOURCES, cache=cache, base=base_of(tmp_path))


def test_only_what_the_interpreter_needs_is_unpacked(cache: Cache, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = f'#!/bin/sh\ncd "$(dirname "$0")/../../.." && find . | sort >{seen}\nexit 1\n'
    base = base_of(tmp_path, cpio.file("usr/lib/any-linux-gnu/ld-linux.so.2", script.encode(), executable=True))
    with pytest.raises(ImageError):
        guest_programs(SOURCES, cache=cache, base=base)
    assert {line for line in seen.read_text().split() if line.count("/") == 1} == {"./usr"}
    assert "./usr/bin/python3.13" in seen.read_text()


def test_the_harness_own_programs_are_the_agent_and_the_service() -> None:
    programs = harness_programs()
    assert {AGENT, SERVICE, "agent/serve.py"} <= set(programs)
    assert {name.partition("/")[0] for name in programs} == {AGENT, SERVICE, "agent"}
    for name, source in programs.items():
        assert source == (ROOT / "harness" / name).read_bytes()
        compile(source, name, "exec")
    assert f"/{FOLDER}/{SERVICE}*" in (ROOT / "images/init").read_text(), "init starts it from there"
