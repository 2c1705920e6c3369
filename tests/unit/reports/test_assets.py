"""The script and the style of report.html, and the policy that lets no others be."""

from __future__ import annotations

import base64
import hashlib

from harness.reports import assets


def test_every_file_of_the_page_is_in_it() -> None:
    files = {path.name for path in assets.FOLDER.glob("page*") if path.suffix in (".js", ".css")}
    assert files == {*assets.SCRIPTS, *assets.STYLES}
    for name in assets.SCRIPTS:
        assert (assets.FOLDER / name).read_text() in assets.script()
        assert len((assets.FOLDER / name).read_text().splitlines()) < 400


def test_neither_ends_its_element_or_makes_markup_of_text() -> None:
    assert "</script" not in assets.script() and "<!--" not in assets.script()
    assert "</style" not in assets.style()
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser", "srcdoc"):
        assert way not in assets.script()


def test_the_policy_has_their_hashes_and_nothing_from_elsewhere() -> None:
    digest = base64.b64encode(hashlib.sha256(assets.script().encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in assets.policy()
    assert "default-src 'none'" in assets.policy() and "unsafe" not in assets.policy()
