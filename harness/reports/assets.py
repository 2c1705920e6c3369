"""The script and the style of report.html, from their files, and the policy that lets no others be."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "templates"
SCRIPTS = (
    "page-dom.js",
    "page-model.js",
    "page-filter.js",
    "page-grid.js",
    "page-packs.js",
    "page-evidence.js",
    "page-panel.js",
    "page-keyboard.js",
    "page-toolbar.js",
    "page-start.js",
)
"""The parts of the script, each of which may use those before it when it is loaded, and all when it runs."""
STYLES = ("page.css", "page-grid.css", "page-panel.css")


@cache
def script() -> str:
    """Return the script: one function, so that no name of it is a page's."""
    parts = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


@cache
def style() -> str:
    """Return the style."""
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in STYLES)


def policy() -> str:
    """Return the Content-Security-Policy: that script and style alone, nothing from elsewhere, no text as markup."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script())}'",
            f"style-src '{_hash(style())}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    """Return the source expression for an element with this text (Content Security Policy Level 3, 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
