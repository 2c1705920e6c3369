"""Files that several cases name: where they are looked for, and that their folder is no case."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_samples import CASE, write_case

from harness.config.case_folders import find_folders, load_case
from harness.errors import ConfigError

NAMED = CASE.replace("object: target.bpf.c", "object: shared/seed.bpf.c")


def share(folder: Path, *names: str) -> None:
    (folder / "shared").mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / "shared" / name).touch()


def test_a_shared_file_lies_beside_the_folders_of_the_cases(tmp_path: Path) -> None:
    share(tmp_path, "seed.bpf.c")
    case = load_case(write_case(tmp_path / "a", NAMED))
    assert case.files["target"] == "shared/seed.bpf.c"
    assert case.path_of(case.files["target"]) == tmp_path / "shared/seed.bpf.c"
    assert case.path_of(case.files["tracer"]) == tmp_path / "a/tracer.bpf.c"


def test_a_shared_file_that_is_missing_is_reported_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    share(Path("bpf"), "seeds.bpf.c")
    with pytest.raises(ConfigError) as caught:
        load_case(write_case(Path("bpf/a"), NAMED))
    assert str(caught.value) == (
        "bpf/a/case.yaml:5: target.object: there is no file shared/seed.bpf.c in bpf; "
        'did you mean "shared/seeds.bpf.c"?'
    )


def test_whoever_leaves_the_folder_out_is_shown_it(tmp_path: Path) -> None:
    share(tmp_path, "seed-target.bpf.c")
    with pytest.raises(ConfigError, match=r'did you mean "shared/seed-target\.bpf\.c"'):
        load_case(write_case(tmp_path / "a", CASE.replace("object: target.bpf.c", "object: seed-target.bpf.c")))


@pytest.mark.parametrize(
    "file", ["shared/", "shared/../a.bpf.c", "other/a.bpf.c", "shared/a/b.bpf.c", "/shared/a.bpf.c"]
)
def test_no_other_folder_can_be_named(tmp_path: Path, file: str) -> None:
    with pytest.raises(ConfigError, match="or shared/ and the name of a shared one"):
        load_case(write_case(tmp_path / "a", CASE.replace("object: target.bpf.c", f"object: {file}")))


def test_the_folder_is_no_case_unless_it_says_so(tmp_path: Path) -> None:
    share(tmp_path / "bpf", "seed.bpf.c")
    write_case(tmp_path / "bpf/a")
    folders, _ = find_folders(tmp_path / "matrix.yaml", ["bpf/*"])
    assert [folder.name for folder in folders] == ["a"]
    write_case(tmp_path / "bpf/shared")
    folders, _ = find_folders(tmp_path / "matrix.yaml", ["bpf/*"])
    assert [folder.name for folder in folders] == ["a", "shared"]
