"""Links of the docs in the site: pages to pages, all else to the code host or to nothing."""

from __future__ import annotations

import pytest

from harness.site.links import in_site, rewritten

FOLDERS = {"bpf/shared", "docs/findings", "examples", "docs"}
HOST = "https://code.example/who/what"


def is_folder(place: str) -> bool:
    return place.rstrip("/") in FOLDERS


def of_page(text: str, *, source: str = "docs/start.md", page: str = "start.md", repository: str = HOST) -> str:
    return rewritten(text, source=source, page=page, is_folder=is_folder, repository=repository)


@pytest.mark.parametrize(
    ("link", "made"),
    [
        ("[a](check.md)", "[a](check.md)"),
        ("[a](check.md#rules)", "[a](check.md#rules)"),
        ("[a](#here)", "[a](#here)"),
        ("[a](https://example.org/x)", "[a](https://example.org/x)"),
        ("[a](../README.md#your-own)", "[a](index.md#your-own)"),
        ("[a](../CONTRIBUTING.md)", "[a](contributing.md)"),
        ("[a](../bpf/x/case.yaml)", f"[a]({HOST}/blob/HEAD/bpf/x/case.yaml)"),
        ("[a](../bpf/shared)", f"[a]({HOST}/tree/HEAD/bpf/shared)"),
        ("[a](findings/)", f"[a]({HOST}/tree/HEAD/docs/findings)"),
        ("[a](findings/x.c)", "[a](findings/x.c)"),
        ("![a](../x.svg)", f"![a]({HOST}/raw/HEAD/x.svg)"),
        ("![a](matrix.svg)", "![a](matrix.svg)"),
        ("[a\nb](../LICENSE)", f"[a\nb]({HOST}/blob/HEAD/LICENSE)"),
        ("[![a](matrix.svg)](../LICENSE)", f"[![a](matrix.svg)]({HOST}/blob/HEAD/LICENSE)"),
    ],
)
def test_where_a_link_leads(link: str, made: str) -> None:
    assert of_page(f"See {link}.\n") == f"See {made}.\n"


def test_from_the_top_and_from_a_folder() -> None:
    assert of_page("[a](docs/check.md)", source="README.md", page="index.md") == "[a](check.md)"
    assert of_page("[a](../check.md)", source="docs/findings/x.md", page="findings/x.md") == "[a](../check.md)"
    assert of_page("[a](../../README.md)", source="docs/findings/x.md", page="findings/x.md") == "[a](../index.md)"


def test_without_a_code_host_the_text_stays() -> None:
    assert of_page("See [the case](../bpf/x/case.yaml).", repository="") == "See the case."
    assert of_page("[![a](matrix.svg)](../LICENSE)", repository="") == "![a](matrix.svg)"


def test_code_is_left_alone() -> None:
    text = "```yaml\n[a](../LICENSE)\n```\n[a](../LICENSE)\n~~~\n[b](../LICENSE)\n~~~\n"
    assert of_page(text, repository="") == "```yaml\n[a](../LICENSE)\n```\na\n~~~\n[b](../LICENSE)\n~~~\n"
    assert of_page("```\n[a](../LICENSE)", repository="") == "```\n[a](../LICENSE)"


def test_what_is_folded_away_is_markdown_in_the_site() -> None:
    assert of_page("<details><summary>s</summary>") == '<details markdown="1"><summary>s</summary>'


def test_what_is_a_page() -> None:
    assert in_site("SECURITY.md", is_folder=is_folder) == "security.md"
    assert in_site("docs/x.md", is_folder=is_folder) == "x.md"
    assert in_site("harness/errors.py", is_folder=is_folder) == ""


def test_what_is_escaped_for_the_code_host_alone_is_not_in_the_site() -> None:
    text = "6.16.12-1\\~bpo13+1 \\$HOME \\*\n```\n\\~\n```\n"
    assert of_page(text) == "6.16.12-1~bpo13+1 $HOME \\*\n```\n\\~\n```\n"
