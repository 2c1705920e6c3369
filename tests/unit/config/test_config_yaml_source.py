from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.config.reading.yaml_source import MAX_NODES, Loc, Positions, load
from harness.errors import ConfigError
from harness.host.paths import shown

# One temporary folder serves all examples of a property: every example writes its own file again.
shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def load_text(tmp_path: Path, text: str | bytes) -> tuple[dict[str, Any], Positions]:
    path = tmp_path / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path)


def test_data_lines_and_spelling(tmp_path: Path) -> None:
    data, positions = load_text(
        tmp_path,
        "# a comment\n"
        "defaults:\n"
        "  memory: 0x100\n"
        "kernels:\n"
        "  - name: 5.10\n"
        "    modules:\n"
        "      - 2024-01-01\n"
        "      - =\n"
        "  - {name: 'x', on_: yes}\n",
    )
    assert data == {
        "defaults": {"memory": 256},
        "kernels": [{"name": 5.1, "modules": ["2024-01-01", "="]}, {"name": "x", "on_": True}],
    }
    assert dict(positions) == {
        (): 2,
        ("defaults",): 2,
        ("defaults", "memory"): 3,
        ("kernels",): 4,
        ("kernels", 0): 5,
        ("kernels", 0, "name"): 5,
        ("kernels", 0, "modules"): 6,
        ("kernels", 0, "modules", 0): 7,
        ("kernels", 0, "modules", 1): 8,
        ("kernels", 1): 9,
        ("kernels", 1, "name"): 9,
        ("kernels", 1, "on_"): 9,
    }
    assert len(positions) == 12
    assert positions.text(("kernels", 0, "name")) == "5.10"
    assert positions.text(("defaults", "memory")) == "0x100"
    assert positions.text(("kernels", 1, "on_")) == "yes"
    assert positions.text(("kernels",)) is None
    assert positions.line(("kernels", 0, "modules", 7, "gone")) == 6
    assert positions.line(("elsewhere",)) == 2


def test_anchors_and_merges(tmp_path: Path) -> None:
    data, positions = load_text(
        tmp_path,
        "kernels:\n"
        "  - &base\n"
        "    arch: x86_64\n"
        "    list: &list [1, 2]\n"
        "  - <<: *base\n"
        "    arch: arm64\n"
        "  - <<: *base\n"
        "    list: *list\n"
        "  - *base\n",
    )
    base = {"arch": "x86_64", "list": [1, 2]}
    assert data == {"kernels": [base, {**base, "arch": "arm64"}, base, base]}
    assert positions["kernels", 1, "arch"] == 6
    assert positions["kernels", 1, "list"] == 4


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    assert load_text(tmp_path, b"\xef\xbb\xbfa: 1\n")[0] == {"a": 1}


def test_aliases_that_multiply_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    with pytest.raises(ConfigError, match=f"file.yaml:1: more than {MAX_NODES} values; too many aliases"):
        load_text(tmp_path, "\n".join(lines))


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"file\.yaml: nested too deeply"):
        load_text(tmp_path, "a: " + "[" * 5000 + "]" * 5000)


def test_merging_oneself_is_refused_or_harmless(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"file\.yaml:1: an alias is inside its own anchor"):
        load_text(tmp_path, "a: &a {b: *a}\n")


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^matrix\.yaml: there is no such file; check the path$"):
        load(Path("matrix.yaml"))
    Path("folder").mkdir()
    with pytest.raises(ConfigError, match=r"^folder: the file cannot be read: Is a directory$"):
        load(tmp_path / "folder")
    with pytest.raises(ConfigError, match="not a path that a file can have"):
        load(Path("a\0b"))
    Path("latin").write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"^latin:2: byte 0xe9 is not UTF-8; save the file as UTF-8$"):
        load(Path("latin"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "matrix.yaml"
    path.write_text("a: 1")
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(path)


def test_paths_are_shown_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert shown(tmp_path / "here" / "bpf" / "case.yaml") == "bpf/case.yaml"
    assert shown(Path("matrix.yaml")) == "matrix.yaml"
    assert shown(tmp_path / "other.yaml") == str(tmp_path / "other.yaml")


WORD = st.text("abcdefghijklmnopqrstuvwxyz-:#{[&*!'\" 0123456789", min_size=1, max_size=8)
SCALAR = st.one_of(WORD, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False))
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORD, inner, max_size=4),
    max_leaves=12,
)


def places(data: Any, loc: Loc = ()) -> set[Loc]:
    found = {loc}
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        found |= places(value, (*loc, key))
    return found


@shared_folder
@given(data=st.dictionaries(WORD, VALUE, min_size=1, max_size=4), flow=st.booleans())
def test_whatever_yaml_writes_is_read_back_with_its_positions(tmp_path: Path, data: dict[str, Any], flow: bool) -> None:
    text = yaml.safe_dump(data, default_flow_style=flow, sort_keys=False)
    loaded, positions = load_text(tmp_path, text)
    assert loaded == data
    assert set(positions) == places(data)
    lines = text.splitlines()
    for loc, line in positions.items():
        if loc and isinstance(loc[-1], str) and " " not in loc[-1]:  # long lines are folded at spaces
            assert loc[-1].replace("'", "''") in lines[line - 1] or loc[-1] in lines[line - 1]


@shared_folder
@given(text=st.text(st.sampled_from("ab:-[]{}&*!#|>'\"%@`?,= \n\t<~0.\\x\x00\ud800é"), max_size=40))
def test_any_text_is_a_mapping_or_a_config_error(tmp_path: Path, text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    try:
        data, _ = load_text(tmp_path, raw)
    except ConfigError as error:
        assert str(error).startswith(shown(tmp_path / "file.yaml"))
    else:
        assert all(isinstance(key, str) for key in data)
