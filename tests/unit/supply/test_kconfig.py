"""The configuration of a kernel that is built: what is wanted, and what its sources have made of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.architectures import ARCHITECTURES
from harness.supply.build.kconfig import (
    ConfigLineError,
    Lost,
    lost_options,
    merged,
    notice_of,
    options_in,
    parse_options,
    wants_btf,
    why_not_built,
)
from harness.supply.kernels.needs import NEEDED

NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
VALUES = st.sampled_from(["y", "m", "n", "128", '"text = with # signs"', "0x100"])
OPTIONS = st.dictionaries(NAMES, VALUES, max_size=8)


def bootable(arch: str) -> dict[str, str]:
    """A configuration of which a guest can be made."""
    row = ARCHITECTURES[arch]
    names = (*NEEDED, "VIRTIO_NET", "BPF_SYSCALL", *row.console_options)
    return dict.fromkeys((*names, *(["VIRTIO_PCI"] if "virtio_pci" in row.modules else [])), "y")


def test_options_are_read_as_the_kernel_writes_them() -> None:
    text = '#\n# A heading\n#\nCONFIG_A=y\n# CONFIG_B is not set\n\nCONFIG_LSM="yama,bpf"\nCONFIG_HZ=250\nCONFIG_A=m\n'
    assert list(parse_options(text).items()) == [("B", "n"), ("LSM", '"yama,bpf"'), ("HZ", "250"), ("A", "m")]


@pytest.mark.parametrize("line", ["CONFIG_A", "A=y", "CONFIG_A y", "CONFIG_=y", "enable A"])
def test_a_line_that_the_kernels_own_tools_would_pass_over_is_an_error(line: str) -> None:
    with pytest.raises(ConfigLineError, match="line 2 is no option"):
        parse_options(f"# CONFIG_B is not set\n{line}\n")


@given(base=OPTIONS, parts=st.lists(OPTIONS, max_size=3))
def test_the_last_that_is_said_of_an_option_counts(base: dict[str, str], parts: list[dict[str, str]]) -> None:
    text = merged(merged("", [base]), parts)
    wanted = dict(base)
    for part in parts:
        wanted |= part
    assert parse_options(text) == wanted
    assert len(parse_options(text)) == len(text.splitlines()) - text.splitlines().count("")


def test_of_a_choice_the_last_that_is_chosen_comes_last_in_the_file() -> None:
    """`make olddefconfig` takes the last of a choice that has `y`."""
    base = "CONFIG_DEBUG_INFO_NONE=y\nCONFIG_Z=y\n"
    parts = [{"ONE": "y", "TWO": "y"}, {"ONE": "y"}]
    lines = merged(base, parts).split()
    assert lines == ["CONFIG_DEBUG_INFO_NONE=y", "CONFIG_Z=y", "CONFIG_TWO=y", "CONFIG_ONE=y"]


def test_btf_is_wanted_unless_the_last_part_turns_it_off() -> None:
    assert wants_btf([{"DEBUG_INFO_BTF": "y"}, {"A": "y"}])
    assert not wants_btf([{"DEBUG_INFO_BTF": "y"}, {"DEBUG_INFO_BTF": "n"}])


def test_what_a_tree_did_not_take_is_lost_and_what_it_made_more_of_is_not() -> None:
    wanted = {"YES": "y", "WEAK": "y", "MOD": "m", "OFF": "n", "STAYS": "n", "NEW": "y", "TEXT": '"a"'}
    made = {"YES": "y", "WEAK": "m", "MOD": "y", "STAYS": "y", "TEXT": '"b"'}
    assert lost_options(wanted, made, known=("WEAK", "STAYS", "TEXT")) == (
        Lost("WEAK", "y", "m", known=True),
        Lost("STAYS", "n", "y", known=True),
        Lost("NEW", "y", "n", known=False),
        Lost("TEXT", '"a"', '"b"', known=True),
    )


def test_an_option_of_another_name_in_older_kernels_is_not_lost() -> None:
    wanted = {"DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT": "y"}
    assert lost_options(wanted, {"DEBUG_INFO": "y"}, known=()) == ()
    assert len(lost_options(wanted, {}, known=())) == 1


def test_the_notice_tells_what_lacks_something_from_what_the_sources_do_not_have() -> None:
    lost = [Lost("WEAK", "y", "m", known=True), Lost("OFF", "y", "n", known=True), Lost("NEW", "y", "n", known=False)]
    assert notice_of(lost) == (
        "options that its configuration did not take, since something that they need is off: WEAK=y (it is m), OFF=y; "
        "options that its sources do not have: NEW"
    )
    assert notice_of([Lost("GONE", "n", "y", known=False)]) == ""
    assert notice_of([]) == ""


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_guest_can_be_made_where_all_is_built_in(arch: str) -> None:
    assert why_not_built(ARCHITECTURES[arch], bootable(arch)) == ""


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_each_option_that_a_guest_needs_is_named_where_it_is_not_built_in(arch: str) -> None:
    """The configuration is whole, so an option that it does not mention is off."""
    whole = bootable(arch)
    for name in whole:
        for value, shown in (("m", "m"), ("n", "not set"), (None, "not set")):
            made = {key: found for key, found in whole.items() if key != name} | ({name: value} if value else {})
            assert f"(CONFIG_{name} is {shown})" in why_not_built(ARCHITECTURES[arch], made)


def test_options_are_found_in_kconfig_files() -> None:
    text = "config A\n\tbool\nmenuconfig B\n\thelp\n\t  config is a word here\n\tconfig C\n"
    assert options_in([text, "config D_2\n"]) == {"A", "B", "C", "D_2"}
