"""What apt says, in a sentence: word for word what apt 2.6 said, but for the addresses."""

from __future__ import annotations

import pytest

from harness.supply.debian.complaints import errors_of, explained, in_short, in_trouble, meaning_of

SAID = {
    "no key": (
        "W: GPG error: http://m.example jammy InRelease: The following signatures couldn't be verified because the "
        "public key is not available: NO_PUBKEY 871920D1991BC93C",
        "its signature is missing, or is not of a key in the keyring",
    ),
    "not signed": (
        "E: The repository 'http://m.example jammy Release' is not signed.",
        "its signature is missing, or is not of a key in the keyring",
    ),
    "expired": (
        "E: Release file for http://m.example/dists/jammy/InRelease is expired (invalid since 2d 0h 0min 1s). Updates "
        "for this repository will not be applied.",
        "its Release file has expired",
    ),
    "from the future": (
        "E: Release file for http://m.example/dists/jammy/InRelease is not valid yet (invalid for another 3d). Updates "
        "for this repository will not be applied.",
        "its Release file is from the future",
    ),
    "silent": (
        "W: Failed to fetch http://m.example/dists/jammy/InRelease  Connection timed out [IP: 192.0.2.1 80]",
        "it did not answer in time",
    ),
    "without end": ("/usr/bin/apt-get did not end within 600 s and was killed", "it did not answer in time"),
    "refused": (
        "W: Failed to fetch http://m.example/dists/jammy/InRelease  Could not connect to m.example:80 (192.0.2.1). - "
        "connect (111: Connection refused)",
        "it cannot be reached",
    ),
    "another hash": (
        "E: Failed to fetch http://m.example/dists/jammy/main/binary-amd64/Packages.gz  File has unexpected size "
        "(9 != 8). Mirror sync in progress? [IP: 192.0.2.1 80]",
        "its files are not those that its own index names",
    ),
    "no suite": (
        "E: The repository 'http://m.example jammy Release' does not have a Release file.",
        "it has no such suite",
    ),
    "a file": (
        "E: Failed to fetch http://m.example/dists/jammy/main/binary-amd64/Packages.gz  404  Not Found",
        "it does not have a file that its index names",
    ),
}


@pytest.mark.parametrize(("text", "why"), SAID.values(), ids=SAID)
def test_each_way_to_fail_is_one_sentence_with_what_can_be_done(text: str, why: str) -> None:
    meaning = meaning_of(text)
    assert meaning is not None
    assert meaning.why.startswith(why)
    assert meaning.advice.endswith((".", "?"))
    first, *lines = explained(text, what="its index could not be fetched").splitlines()
    assert first == f"{meaning.why}:"
    assert lines == [f"  {text}", f"  {meaning.advice}"]
    assert in_short(explained(text, what="it")) == meaning.why


def test_what_nobody_knows_is_said_with_apts_own_words() -> None:
    text = "E: The disk is on fire"
    assert meaning_of(text) is None
    assert explained(text, what="its index could not be fetched").splitlines() == [
        "its index could not be fetched: E: The disk is on fire:",
        "  E: The disk is on fire",
    ]
    assert explained("", what="it failed").startswith("it failed")


def test_warnings_may_be_trouble_or_not() -> None:
    assert in_trouble("W: Failed to fetch http://m.example/dists/jammy/InRelease  Connection timed out")
    assert in_trouble("W: GPG error: http://m.example jammy InRelease: BADSIG 0")
    assert not in_trouble("W: http://m.example/dists/jammy/InRelease: Policy will reject signature within a year")
    assert not in_trouble("N: Skipping acquire of configured file 'main/i18n'")


def test_the_lines_that_matter_are_kept_and_no_more_than_a_dozen() -> None:
    text = "Get:1 http://m.example\nE: Failed to fetch x\n   Hashes of expected file:\nE: Download Failed\n"
    assert errors_of(text) == "  E: Failed to fetch x\n  Hashes of expected file:"
    assert len(errors_of("E: x\n" * 40).splitlines()) == 12
