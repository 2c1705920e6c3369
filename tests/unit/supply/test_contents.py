from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import ROOT

from harness.errors import EXIT_USAGE, ConfigError
from harness.supply.image.contents import Contents, matches, read_contents


@pytest.mark.parametrize(
    ("path", "pattern", "fits"),
    [
        ("usr/bin/busybox", "usr/bin/busybox", True),
        ("usr/bin/busybox2", "usr/bin/busybox", False),
        ("x/usr/bin/busybox", "usr/bin/busybox", False),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib/*/libc.so.*", True),
        ("usr/lib/a/b/libc.so.6", "usr/lib/*/libc.so.*", False),
        ("usr/lib/libc.so.6", "usr/lib/*/libc.so.*", False),
        ("usr/lib/libcXso.6", "usr/lib/libc.so.*", False),
        ("usr/lib/python3/importlib/a.py", "usr/lib/python3/importlib/**.py", True),
        ("usr/lib/python3/importlib/a/b/c.py", "usr/lib/python3/importlib/**.py", True),
        ("usr/lib/python3/importlib/a.pyc", "usr/lib/python3/importlib/**.py", False),
        ("a/b", "a?b", False),
        ("axb", "a?b", True),
        ("ab", "a?b", False),
        ("encodings/big5_hk.py", "encodings/[b-hj-tv-z]*_*.py", True),
        ("encodings/utf_8.py", "encodings/[b-hj-tv-z]*_*.py", False),
        ("encodings/idna.py", "encodings/[b-hj-tv-z]*_*.py", False),
        ("a[b", "a[b", True),
        ("ab", "a[b", False),
        ("a+b(c)$", "a+b(c)$", True),
        ("", "", True),
        ("", "**", True),
        ("a", "", False),
    ],
)
def test_patterns(path: str, pattern: str, fits: bool) -> None:
    assert matches(path, [pattern]) == fits
    assert matches(path, ["no/such", pattern, "nor/this"]) == fits
    assert not matches(path, [])


@given(st.text("ab/.*?[]-", max_size=10), st.text("ab/.-", max_size=10))
def test_any_pattern_can_be_asked(pattern: str, path: str) -> None:
    try:
        found = matches(path, [pattern])
    except Exception as error:
        assert "bad character range" in str(error)  # [b-a], as a regular expression has it
        return
    if "/" not in path and not set(pattern) & set("[]"):
        assert found == fnmatch.fnmatchcase(path, pattern)


@given(st.text("ab/.+()$^", max_size=10))
def test_a_path_without_wild_cards_fits_itself_alone(path: str) -> None:
    assert matches(path, [path])
    assert not matches(f"{path}x", [path])
    assert matches(f"{path}x/y", [f"{path}**"])


def test_what_is_dropped_goes_though_it_is_kept_elsewhere() -> None:
    contents = Contents(suites=("s",), packages=("p",), keep=("a/*",), drop=("a/b*",), python="python3")
    assert contents.wants("a/c")
    assert not contents.wants("a/b1")
    assert not contents.wants("b/c")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "suites: [s]", "{", "{suites: [s], packages: [p], keep: [k], python: x, unknown: 1}", "suites: 1"],
)
def test_a_malformed_description_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "contents.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_contents(path)
    assert str(caught.value).startswith(f"{path}: not a usable description of the guest image")
    assert caught.value.exit_code == EXIT_USAGE


def test_a_missing_description_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_contents(tmp_path / "none")


def test_the_committed_description() -> None:
    contents = read_contents(ROOT / "images/contents.yaml")
    for name in contents.required:
        assert contents.wants(name) or name in contents.links, f"{name} is required, but not kept"
    assert {"busybox-static", "dropbear-bin", "openssh-sftp-server", "libbpf1", "libc6"} <= set(contents.packages)
    assert len(set(contents.packages)) == len(contents.packages)
    library = f"usr/lib/{contents.python}"
    for module in ("json/decoder", "ctypes/__init__", "select", "socket", "struct", "resource", "encodings/utf_8"):
        source = f"{library}/{module}.py"
        if module in ("select", "resource"):  # built in, or below lib-dynload
            continue
        assert contents.wants(source), f"the agent needs {source}"
    assert not contents.wants(f"{library}/turtle.py")
    assert not contents.wants("usr/share/doc/libc6/copyright")
