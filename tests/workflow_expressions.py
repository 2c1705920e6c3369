"""The expressions of GitHub's workflows, as far as ours go: contexts, operators, functions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>==|!=|&&|\|\||[!().,\[\]]))"
)
INSERTED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
KEYWORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
Function = Callable[..., Any]


def tokens_of(text: str) -> list[tuple[str, str]]:
    """Return the tokens of an expression, each with its kind; raise ValueError for what is none."""
    found, at = [], 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"no expression: {text!r} at {text[at:]!r}")
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        at = match.end()
    return found


class Expression:
    """One expression, read by recursive descent while it is evaluated."""

    def __init__(self, text: str, contexts: Mapping[str, Any], functions: Mapping[str, Function]) -> None:
        self._tokens = [*tokens_of(text), ("end", "")]
        self._at = 0
        self._contexts, self._functions = contexts, functions

    def value(self) -> Any:
        """Return what it comes to; raise ValueError where something is left over, KeyError for an unknown name."""
        found = self._any()
        if self._tokens[self._at][0] != "end":
            raise ValueError(f"left over: {self._tokens[self._at :]}")
        return found

    def _take(self, *signs: str) -> str:
        kind, text = self._tokens[self._at]
        if kind == "sign" and text in signs:
            self._at += 1
            return text
        return ""

    def _any(self) -> Any:
        found = self._all()
        while self._take("||"):
            other = self._all()
            found = found or other
        return found

    def _all(self) -> Any:
        found = self._equal()
        while self._take("&&"):
            other = self._equal()
            found = found and other
        return found

    def _equal(self) -> Any:
        found = self._negated()
        while sign := self._take("==", "!="):
            same = alike(found) == alike(self._negated())
            found = same if sign == "==" else not same
        return found

    def _negated(self) -> Any:
        return not self._negated() if self._take("!") else self._reached()

    def _reached(self) -> Any:
        found = self._primary()
        while sign := self._take(".", "["):
            if sign == ".":
                key: Any = self._tokens[self._at][1]
                self._at += 1
            else:
                key = self._any()
                assert self._take("]")
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def _primary(self) -> Any:
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return int(text)
        if (kind, text) == ("sign", "("):
            found = self._any()
            assert self._take(")")
            return found
        if kind != "name":
            raise ValueError(f"unexpected {text!r}")
        if self._take("("):
            return self._functions[text](*self._arguments())
        return KEYWORDS[text] if text in KEYWORDS else self._contexts[text]

    def _arguments(self) -> list[Any]:
        found: list[Any] = []
        while not self._take(")"):
            found.append(self._any())
            self._take(",")
        return found


def alike(value: Any) -> Any:
    """Return a value as `==` compares it: text without case, nothing as empty text."""
    return "" if value is None else value.lower() if isinstance(value, str) else value


def shown(value: Any) -> str:
    """Return a value as it is put into a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def evaluate(text: str, contexts: Mapping[str, Any], functions: Mapping[str, Function]) -> Any:
    """Return the value of an expression, with or without its braces."""
    match = INSERTED.fullmatch(text.strip())
    return Expression(match[1] if match else text, contexts, functions).value()


def filled(value: Any, contexts: Mapping[str, Any], functions: Mapping[str, Function]) -> Any:
    """Return a value of a workflow with the expressions in it evaluated, in lists and mappings, too."""
    if isinstance(value, dict):
        return {key: filled(each, contexts, functions) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, contexts, functions) for each in value]
    if not isinstance(value, str):
        return value
    if INSERTED.fullmatch(value.strip()) and value.count("${{") == 1:
        return evaluate(value, contexts, functions)
    return INSERTED.sub(lambda match: shown(Expression(match[1], contexts, functions).value()), value)
