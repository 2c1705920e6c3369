"""The agent as what it is: a package of the standard library alone, which is pushed and loaded without files."""

from __future__ import annotations

import ast
import json
import marshal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from unit_samples import ROOT

from harness.agent.serve import PROTOCOL
from harness.facts import transcript
from harness.supply.image.guest_compiler import SERVICE, Untyped, compiled, module_name
from harness.supply.image.programs import harness_programs

PROGRAMS = harness_programs()
AGENT = {module_name(file): file for file in PROGRAMS if file != SERVICE}
ENTRY = ROOT / "harness/guest_agent.py"


def imports_of(file: str, *, top: bool = False) -> set[str]:
    """Return what a program imports at run time; with `top` only what it imports before it does anything."""
    tree = Untyped().visit(ast.parse(PROGRAMS[file]))
    nodes = list(tree.body if top else ast.walk(tree))
    found = {each.name for node in nodes if isinstance(node, ast.Import) for each in node.names}
    return found | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


def test_the_whole_package_is_pushed() -> None:
    files = {str(path.relative_to(ROOT / "harness")) for path in (ROOT / "harness/agent").rglob("*.py")}
    assert {*files, "guest_agent.py"} - {"agent/__init__.py"} == set(AGENT.values())
    tree = ast.parse((ROOT / "harness/agent/__init__.py").read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1, "the packages are empty in a guest"


@pytest.mark.parametrize("file", PROGRAMS)
def test_a_program_of_the_guest_needs_nothing_but_the_standard_library_and_the_agent(file: str) -> None:
    others = {name for name in imports_of(file) if name.split(".")[0] not in sys.stdlib_module_names}
    assert others <= set(AGENT), "and each is imported by its whole name"


def test_what_the_agent_imports_is_loaded_before_it_comes() -> None:
    imported = set().union(*(imports_of(file, top=True) for file in AGENT.values())) - set(AGENT)
    assert {"ctypes", "json"} <= imported <= imports_of(SERVICE, top=True)
    assert not imported & {"typing", "dataclasses", "re", "enum", "signal", "pathlib", "importlib", "types"}


def test_no_module_is_long() -> None:
    assert {file: lines for file, text in PROGRAMS.items() if (lines := text.count(b"\n")) > 400} == {}
    assert PROGRAMS["guest_agent.py"].count(b"\n") < 40


def test_host_and_guest_speak_the_same_protocol() -> None:
    assert transcript.PROTOCOL == PROTOCOL


LOAD = """
import ctypes, json, os, runpy, sys
service = runpy.run_path(sys.argv[1], run_name="service")
class Anything:
    def __getattr__(self, name): return self
    def __call__(self, *anything): return self
real = os.open
def kmsg(path, flags):
    return real("/dev/null" if path == "/dev/kmsg" else path, flags)
def read(fd, size): raise BlockingIOError
ctypes.CDLL, os.open, os.read = lambda name, use_errno=False: Anything(), kmsg, read
before = set(sys.modules)
with open(sys.argv[2], "rb") as file:
    pushed = file.read()
serve = service["load"](pushed)
print(json.dumps({
    "serve": serve.func.__module__ + "." + serve.func.__name__,
    "given": {name: type(value).__module__ for name, value in serve.keywords.items()},
    "protocol": sys.modules["harness.agent.serve"].PROTOCOL,
    "loaded": sorted(set(sys.modules) - before),
    "files": [name for name in set(sys.modules) - before if hasattr(sys.modules[name], "__file__")],
    "annotated": [name for name in set(sys.modules) - before
                  for value in vars(sys.modules[name]).values() if getattr(value, "__annotations__", None)],
    "path": [place for place in sys.path if "harness" in place],
    "error": repr(serve.keywords["lib"].call.__code__.co_filename),
}))
"""
"""What a guest does with the agent that was pushed, without a libbpf."""


WHOLE = sorted(["harness", "harness.agent", *AGENT])
"""All modules of the agent, and the packages that they are in."""


OF_PYTHON = {"_py_warnings", "ctypes._layout", "warnings"}
"""What Python 3.14 loads by itself when it compiles a module or makes a structure; guests have their image's Python."""


def loaded(tmp_path: Path, service: bytes, suffix: str, modules: Mapping[str, Any]) -> dict[str, Any]:
    """Let the service load the agent in a process that has no other file of the harness."""
    (tmp_path / f"service{suffix}").write_bytes(service)
    (tmp_path / "pushed").write_bytes(marshal.dumps(dict(modules)))
    argv = [sys.executable, "-I", "-S", "-E", "-c", LOAD, f"service{suffix}", "pushed"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, **{key: [name for name in found[key] if name not in OF_PYTHON] for key in ("loaded", "files")}}


def test_every_module_of_the_agent_is_imported_from_code_objects(tmp_path: Path) -> None:
    modules = {name: compiled(PROGRAMS[file], file) for name, file in AGENT.items()}
    found = loaded(tmp_path, PROGRAMS[SERVICE], ".py", modules)
    assert found["loaded"] == WHOLE, "all of it, and nothing else"
    assert found["files"] == found["path"] == found["annotated"] == []
    assert found["serve"] == "harness.agent.serve.serve"
    assert found["given"] == {"lib": "harness.agent.libbpf", "log": "harness.agent.kernel_log"}
    assert found["protocol"] == PROTOCOL
    assert found["error"] == "'harness/agent/libbpf.py'", "a traceback names the module's file"


def test_it_is_imported_from_source_as_well(tmp_path: Path) -> None:
    found = loaded(tmp_path, PROGRAMS[SERVICE], ".py", {name: PROGRAMS[file] for name, file in AGENT.items()})
    assert found["loaded"] == WHOLE
    assert found["serve"] == "harness.agent.serve.serve"


def test_a_module_that_was_not_pushed_is_missing(tmp_path: Path) -> None:
    modules = {name: PROGRAMS[file] for name, file in AGENT.items() if name != "harness.agent.child"}
    with pytest.raises(AssertionError, match=r"No module named 'harness\.agent\.child'"):
        loaded(tmp_path, PROGRAMS[SERVICE], ".py", modules)


def test_the_entry_is_a_program_by_itself(tmp_path: Path) -> None:
    """So another program's guests can run it (harness/bench/virtme.py): its package lies beside it."""
    (tmp_path / "job.json").write_text("no job")
    argv = [sys.executable, str(ENTRY), str(tmp_path / "job.json")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    assert "JSONDecodeError" in done.stderr.splitlines()[-1]
