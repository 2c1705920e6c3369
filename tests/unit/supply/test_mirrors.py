from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import GOLDEN, check_golden

from harness.errors import EXIT_HARNESS, MirrorError
from harness.supply.debian.mirrors import (
    ENVIRONMENT,
    Mirrors,
    archive_of,
    find_mirrors,
    host_sources,
    parse_update_uris,
    resolve,
)

HOST = {"debian": "http://host.example/debian", "debian-security": "http://host.example/debian-security"}
HOSTS = "the host's apt sources"


@pytest.mark.parametrize("source", sorted((GOLDEN / "apt-uris").glob("*.uris")), ids=lambda path: path.stem)
def test_golden_hosts(source: Path) -> None:
    found = parse_update_uris(source.read_text())
    text = "".join(f"{archive} {base}\n" for archive, base in sorted(found.items()))
    check_golden(f"apt-uris/{source.stem}.txt", text)


def test_the_golden_hosts_are_there() -> None:
    names = {path.stem for path in (GOLDEN / "apt-uris").glob("*.uris")}
    assert {"debian-deb822", "debian-old", "debian-others-first", "ubuntu", "ubuntu-others"} <= names


@given(st.text())
def test_any_output_is_read(text: str) -> None:
    assert set(parse_update_uris(text)) <= set(ENVIRONMENT)


def test_the_hosts_own_apt_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "apt-get"
    fake.write_text(
        "#!/bin/sh\n[ \"$*\" = 'update --print-uris' ] && echo \"'http://m.example/debian/dists/sid/InRelease' x 0\"\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for variable in ENVIRONMENT.values():
        monkeypatch.delenv(variable, raising=False)
    assert host_sources() == {"debian": "http://m.example/debian"}
    assert find_mirrors({}).origins["debian"] == HOSTS
    monkeypatch.setenv("BPFMATRIX_DEBIAN_MIRROR", "file:///srv/debian")
    assert find_mirrors({"debian": "http://yaml.example/debian"}).base("debian") == "file:///srv/debian"


@pytest.mark.parametrize(
    ("environment", "configured", "host", "base", "origin"),
    [
        ("http://e/debian", "http://y/debian", "http://h/debian", "http://e/debian", "$BPFMATRIX_DEBIAN_MIRROR"),
        ("", "http://y/debian", "http://h/debian", "http://y/debian", "matrix.yaml"),
        (None, None, "http://h/debian/", "http://h/debian", HOSTS),
        ("http://e/debian//", None, None, "http://e/debian", "$BPFMATRIX_DEBIAN_MIRROR"),
    ],
)
def test_the_environment_goes_before_the_matrix_and_that_before_the_host(
    environment: str | None, configured: str | None, host: str | None, base: str, origin: str
) -> None:
    found = resolve(
        environment={} if environment is None else {"BPFMATRIX_DEBIAN_MIRROR": environment},
        configured={"debian": configured},
        host={} if host is None else {"debian": host},
    )
    assert (found.base("debian"), found.origins["debian"]) == (base, origin)


def test_the_security_archive_is_beside_the_main_one_where_nothing_else_is_said() -> None:
    found = resolve(environment={}, configured={}, host={"debian": "http://h.example/debian"})
    assert found.base("debian-security") == "http://h.example/debian-security"
    assert found.base("debian-ports") == "http://h.example/debian-ports"
    assert found.origins["debian-security"] == f"beside the main archive ({HOSTS})"


def test_the_hosts_own_security_archive_is_kept_with_its_main_one() -> None:
    host = {**HOST, "debian-security": "http://elsewhere.example/sec"}
    found = resolve(environment={}, configured={}, host=host)
    assert found.base("debian-security") == "http://elsewhere.example/sec"


@pytest.mark.parametrize("where", ["environment", "configured"])
def test_a_main_mirror_by_hand_is_not_mixed_with_the_hosts_security_archive(where: str) -> None:
    found = resolve(
        environment={"BPFMATRIX_DEBIAN_MIRROR": "file:///srv/debian"} if where == "environment" else {},
        configured={"debian": "file:///srv/debian"} if where == "configured" else {},
        host=HOST,
    )
    assert found.base("debian") == "file:///srv/debian"
    assert found.base("debian-security") == "file:///srv/debian-security"


def test_a_security_mirror_by_hand_counts_whatever_the_main_one_is() -> None:
    found = resolve(
        environment={"BPFMATRIX_DEBIAN_SECURITY_MIRROR": "http://s.example/sec/"},
        configured={"debian": "file:///srv/debian"},
        host=HOST,
    )
    assert found.base("debian-security") == "http://s.example/sec"
    assert found.origins["debian-security"] == "$BPFMATRIX_DEBIAN_SECURITY_MIRROR"


@pytest.mark.parametrize("archive", list(ENVIRONMENT))
def test_an_unknown_archive_says_how_to_name_one(archive: str) -> None:
    with pytest.raises(MirrorError) as caught:
        resolve(environment={}, configured={}, host={}).base(archive)
    assert ENVIRONMENT[archive] in str(caught.value)
    assert f"`mirrors: {{{archive}: ...}}`" in str(caught.value)
    assert caught.value.exit_code == EXIT_HARNESS


ADDRESSES = st.dictionaries(
    st.sampled_from(sorted(ENVIRONMENT)), st.sampled_from(["", "http://a/debian/", "file:///b", "http://c/x/debian"])
)


@given(ADDRESSES, ADDRESSES, ADDRESSES)
def test_bases_and_origins_go_together(
    environment: dict[str, str], configured: dict[str, str | None], host: dict[str, str]
) -> None:
    variables = {ENVIRONMENT[archive]: value for archive, value in environment.items()}
    found = resolve(environment=variables, configured=configured, host=host)
    assert set(found.bases) == set(found.origins)
    assert all(base and not base.endswith("/") for base in found.bases.values())
    for archive in ENVIRONMENT:
        by_hand = environment.get(archive) or configured.get(archive)
        if by_hand:
            assert found.base(archive) == by_hand.rstrip("/")


@pytest.mark.parametrize(
    ("suite", "archive"),
    [
        ("trixie", "debian"),
        ("trixie-backports", "debian"),
        ("experimental", "debian"),
        ("bookworm-security", "debian-security"),
        ("buster/updates", "debian-security"),
        ("bookworm-updates", "debian"),
    ],
)
def test_a_suite_lies_in_its_archive(suite: str, archive: str) -> None:
    assert archive_of(suite) == archive


def test_mirrors_are_a_value() -> None:
    assert Mirrors({"debian": "a"}, {"debian": "b"}) == Mirrors({"debian": "a"}, {"debian": "b"})
