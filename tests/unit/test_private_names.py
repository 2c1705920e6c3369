"""No test reaches past what a module of the product offers: none patches, calls or overrides a private name of one.

Where a test has to, the code wants a parameter, a protocol or a public function, which then says what is promised.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from unit_samples import ROOT

PRIVATE = re.compile(r"\b_[A-Za-z]\w*")
OWN = {"self", "cls"}


def is_private(name: str) -> bool:
    return bool(PRIVATE.fullmatch(name))


def private_names(tree: ast.AST) -> Iterator[str]:
    """Yield the private names that a module defines: of functions, classes, variables and attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found = name
            case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Name(id=name, ctx=ast.Store()):
                found = name
            case _:
                continue
        if is_private(found):
            yield found


@cache
def of_the_product() -> frozenset[str]:
    trees = (ast.parse(path.read_text()) for path in (ROOT / "harness").rglob("*.py"))
    return frozenset(name for tree in trees for name in private_names(tree))


def reached(tree: ast.AST, product: frozenset[str]) -> Iterator[str]:
    """Yield where a test reaches for one of the private names `product`, as `LINE: what`.

    Code in a string, which a test runs in a process of its own, is looked through, too.
    """
    own = set(private_names(tree))
    imports = [
        node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and str(node.module)[:7] == "harness"
    ]
    imported = {alias.asname or alias.name for node in imports for alias in node.names}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom() if node in imports:
                yield from (f"{node.lineno}: import {alias.name}" for alias in node.names if is_private(alias.name))
            case ast.Attribute(attr=name, value=ast.Name(id=owner)) if owner in OWN and name in own:
                pass
            case ast.Attribute(attr=name) if name in product:
                yield f"{node.lineno}: {ast.unparse(node)}"
            case ast.ClassDef() if imported & {base.id for base in node.bases if isinstance(base, ast.Name)}:
                names = {each.name for each in node.body if isinstance(each, (ast.FunctionDef, ast.ClassDef))}
                yield from (f"{node.lineno}: {node.name} overrides {name}" for name in sorted(names & product))
            case ast.Constant(value=str(text)) if text.rpartition(".")[2] in product:
                yield f"{node.lineno}: {text!r}"
            case ast.Constant(value=str(text)) if "._" in text:
                yield from (f"{node.lineno}: in a string, {found}" for found in in_code(text, product))


def in_code(text: str, product: frozenset[str]) -> list[str]:
    try:
        return list(reached(ast.parse(text), product))
    except (SyntaxError, ValueError):  # it is no code
        return []


TESTS = sorted(path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))


def test_no_test_reaches_for_a_private_name() -> None:
    texts = {path.relative_to(ROOT): path.read_text() for path in TESTS}
    texts = {path: text for path, text in texts.items() if not of_the_product().isdisjoint(PRIVATE.findall(text))}
    found = {path: list(reached(ast.parse(text), of_the_product())) for path, text in texts.items()}
    assert not {path: places for path, places in found.items() if places}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from harness.guest.connection import _private", ["1: import _private"]),
        ("from harness.run import watch\nwatch._private(1)", ["2: watch._private"]),
        ("starter()._private is None", ["1: starter()._private"]),
        ("self._private", ["1: self._private"]),
        ("case._private = 1", ["1: case._private"]),
        ("monkeypatch.setattr(loop, '_private', nap)", ["1: '_private'"]),
        ("monkeypatch.setattr('harness.host.emulators._private', '')", ["1: 'harness.host.emulators._private'"]),
        ("from harness.x import B\nclass A(B):\n    def _private(self): ...", ["2: A overrides _private"]),
        ("CODE = '''\nlib._private(1)\n'''", ["1: in a string, 2: lib._private"]),
        ("class A:\n    def _private(self): ...\n    def run(self): self._private()", []),
        ("from elsewhere import B\nclass A(B):\n    def _private(self): ...", []),
        ("os._exit(0)\nrow._replace(a=1)\nmodule.__name__", []),
        ("'a text with._private in it'", []),
    ],
)
def test_whatever_way_a_test_reaches_it_is_found(code: str, found: list[str]) -> None:
    assert list(reached(ast.parse(code), frozenset({"_private"}))) == found
