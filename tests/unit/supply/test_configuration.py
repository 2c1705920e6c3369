"""What a kernel of the matrix is to be configured with, and the parts that come with bpfmatrix."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kernel_sources import build_entry

from harness.errors import KernelFileError
from harness.host.package_data import kconfig_folder
from harness.model.architectures import ARCHITECTURES
from harness.supply.build.configuration import configuration_of, needed_files
from harness.supply.build.kconfig import parse_options, wanted_of, why_not_built
from harness.supply.kernels.needs import NEEDED

X86, ARM64, PPC = ARCHITECTURES["x86_64"], ARCHITECTURES["arm64"], ARCHITECTURES["ppc64le"]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_parts_of_bpfmatrix_have_all_that_a_guest_needs(arch: str) -> None:
    row = ARCHITECTURES[arch]
    wanted = wanted_of(parse_options(path.read_text()) for path in needed_files(row))
    assert NEEDED.keys() <= wanted.keys()
    assert why_not_built(row, wanted) == ""
    assert wanted["DEBUG_INFO_BTF"] == "y"


@pytest.mark.parametrize("path", sorted(kconfig_folder().glob("*.config")), ids=lambda path: path.name)
def test_each_option_stands_below_a_line_that_says_why(path: Path) -> None:
    lines = path.read_text().splitlines()
    seen: set[str] = set()
    for number, line in enumerate(lines):
        if re.match(r"^(CONFIG_|# CONFIG_\w+ is not set)", line):
            (name,) = parse_options(line)
            assert name not in seen, f"{name} is there twice"
            seen.add(name)
            assert lines[number - 1], f"nothing says why: {line}"
    assert seen
    assert {each.stem for each in kconfig_folder().glob("*.config")} == {"all", *ARCHITECTURES}


def test_the_users_own_options_count_more_and_the_last_one_most(tmp_path: Path) -> None:
    (tmp_path / "own.config").write_text("CONFIG_BPF_LSM=n\nCONFIG_HZ=1000\n# CONFIG_VETH is not set\n")
    entry = build_entry(tree=tmp_path, config=["CONFIG_HZ=100", tmp_path / "own.config", "CONFIG_VETH=m"])
    made = configuration_of(entry, X86)
    assert (made.target, made.text) == ("defconfig", "")
    assert (made.wanted["BPF_LSM"], made.wanted["HZ"], made.wanted["VETH"]) == ("n", "1000", "m")
    assert made.wanted["BPF_SYSCALL"] == "y"
    assert made.btf
    assert not configuration_of(build_entry(tree=tmp_path, config="CONFIG_DEBUG_INFO_BTF=n"), X86).btf


def test_a_base_is_a_target_of_the_makefile_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "base").write_text("CONFIG_A=y\n")
    assert configuration_of(build_entry(tree=tmp_path, base_config="tinyconfig"), X86).target == "tinyconfig"
    made = configuration_of(build_entry(tree=tmp_path, base_config=tmp_path / "base"), X86)
    assert (made.target, made.text) == ("", "CONFIG_A=y\n")


def test_the_usual_configuration_of_an_architecture_has_its_own_target(tmp_path: Path) -> None:
    assert configuration_of(build_entry(tree=tmp_path, arch="ppc64le"), PPC).target == "ppc64le_defconfig"
    assert configuration_of(build_entry(tree=tmp_path, arch="arm64"), ARM64).target == "defconfig"


def test_each_difference_of_a_configuration_is_seen(tmp_path: Path) -> None:
    for name, text in {"a": "CONFIG_A=y\n", "same": "# A comment\nCONFIG_A=y\n", "b": "CONFIG_A=m\n"}.items():
        (tmp_path / name).write_text(text)

    def hashed(**keys: object) -> str:
        return configuration_of(build_entry(tree=tmp_path, **keys), X86).hash

    assert hashed(config="CONFIG_A=y") == hashed(config=tmp_path / "a") == hashed(config=tmp_path / "same")
    different = [
        hashed(),
        hashed(config=tmp_path / "a"),
        hashed(config=tmp_path / "b"),
        hashed(base_config="tinyconfig"),
        hashed(base_config=tmp_path / "a"),
        hashed(base_config=tmp_path / "b"),
        configuration_of(build_entry(tree=tmp_path, arch="arm64"), ARM64).hash,
    ]
    assert len(set(different)) == len(different)


@pytest.mark.parametrize("key", ["config", "base_config"])
def test_a_file_that_is_missing_or_is_none_is_an_error_that_names_it(key: str, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("CONFIG_A=y\nDear reader,\n")
    for name, complaint in {
        "nothing": "cannot be read: No such file",
        "letter": "line 2 is no option: 'Dear reader,'",
    }.items():
        with pytest.raises(KernelFileError, match=f"kernel mine: {tmp_path}/{name}:? {complaint}"):
            configuration_of(build_entry(tree=tmp_path, **{key: tmp_path / name}), X86)
