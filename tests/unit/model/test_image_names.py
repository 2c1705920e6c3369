"""The names of images: what is a host in them, and which image they say."""

from __future__ import annotations

import re

import pytest

from harness.model.image_names import IMAGE_NAME, parse

D = f"sha256:{'0a' * 32}"


@pytest.mark.parametrize(
    ("text", "host", "name", "tag", "digest"),
    [
        ("registry.example/kernels:6.12", "registry.example", "kernels", "6.12", ""),
        (
            "registry.example:5000/some/kernels:6.12-20261130",
            "registry.example:5000",
            "some/kernels",
            "6.12-20261130",
            "",
        ),
        ("localhost/kernels:main", "localhost", "kernels", "main", ""),
        ("[::1]:5000/kernels:main", "[::1]:5000", "kernels", "main", ""),
        (f"registry.example/kernels@{D}", "registry.example", "kernels", "", D),
        ("some/kernels:6.12", "", "some/kernels", "6.12", ""),
        (f"kernels@{D}", "", "kernels", "", D),
        ("kernels:6.12", "", "kernels", "6.12", ""),
    ],
)
def test_the_parts_of_a_name(text: str, host: str, name: str, tag: str, digest: str) -> None:
    assert re.match(IMAGE_NAME, text)
    found = parse(text)
    assert (found.host, found.name, found.tag, found.digest) == (host, name, tag, digest)
    assert found.text == text
    assert found.place == text.removeprefix(f"{host}/")
    assert found.with_digest(D) == f"{host}/{name}@{D}"


WRONG = [
    "kernels",
    "",
    ":6.12",
    "a b:6.12",
    "https://registry.example/k:1",
    "../k:1",
    "k:1:2",
    "k@sha256:0",
    "k:..",
    "-k:1",
]


@pytest.mark.parametrize("text", [*WRONG, "/k:1", "k/:1", "k:1\n", f"k:1@{D}"])
def test_what_is_no_name_or_says_no_image(text: str) -> None:
    assert not re.fullmatch(IMAGE_NAME.removesuffix("$"), text)


def test_a_name_without_a_host_is_one_of_a_registry() -> None:
    assert parse("kernels:6.12").at("registry.example:5000").text == "registry.example:5000/kernels:6.12"
    assert parse("kernels:6.12").at("registry.example/some/").text == "registry.example/some/kernels:6.12"
    assert parse("registry.example/kernels:6.12").at("other.example").text == "registry.example/kernels:6.12"


@pytest.mark.parametrize(("host", "plain"), [("localhost:5000", True), ("127.0.0.1:5000", True), ("[::1]:1", True)])
def test_registries_of_this_machine_speak_plainly(host: str, plain: bool) -> None:
    assert parse(f"{host}/kernels:1").plain is plain
    for other in ("registry.example", "127.0.0.1.example", "localhost.example:5000"):
        assert not parse(f"{other}/kernels:1").plain
