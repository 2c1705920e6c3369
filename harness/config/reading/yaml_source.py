"""Read a YAML file as plain data, and remember on which line everything is.

pydantic gets the data; the positions let `harness.config.reading.explain` name the line of every error.
YAML's own traps are shut here: duplicate keys, keys that are not text, tags, dates, endless aliases; and numbers that
would lose a zero, where the caller wants them as they are spelled.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.errors import ConfigError
from harness.host.paths import shown

Loc = tuple[str | int, ...]
"""The way to a value: keys and list indexes, as pydantic's `loc` and as the user wrote them."""

MAX_NODES = 100_000
"""More values than any honest file has; aliases of aliases reach it quickly."""

MAX_FAST = 3_000
"""More signs that may open something than libyaml's recursion is trusted with; it has no limit of its own."""

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_STRING = f"{_TAG}str"
_FLOAT = f"{_TAG}float"
_SCALARS = frozenset(f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null"))
_KIND_OF_TAG = {"int": "a number", "float": "a number", "bool": "a boolean", "null": "nothing"}
_UNWANTED = frozenset({f"{_TAG}timestamp", f"{_TAG}value"})


class _Loader(yaml.SafeLoader):
    """SafeLoader without dates and without `=`: both are plain text here."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [(tag, regexp) for tag, regexp in resolvers if tag not in _UNWANTED]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _FastLoader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """`_Loader` on top of libyaml: ten times as fast, but its messages about wrong syntax are not those of PyYAML."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


class Positions(Mapping[Loc, int]):
    """Line (1-based) of every key and list item, and the text of every scalar as it is written.

    The line of a key's value is that of the key. What came through an alias is at its anchor.
    """

    def __init__(self, *, lines: Mapping[Loc, int], texts: Mapping[Loc, str]) -> None:
        self._lines = dict(lines)
        self._texts = dict(texts)

    def __getitem__(self, loc: Loc) -> int:
        return self._lines[loc]

    def __iter__(self) -> Iterator[Loc]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, loc: Loc) -> int:
        """Return the line of `loc`, or that of the nearest place around it that is in the file."""
        while loc and loc not in self._lines:
            loc = loc[:-1]
        return self._lines.get(loc, 1)

    def text(self, loc: Loc) -> str | None:
        """Return the scalar at `loc` as the file spells it (`5.10`, not 5.1); None where there is none."""
        return self._texts.get(loc)


def quoted(text: str) -> str:
    """Return `text` in double quotes, in one line and without control characters."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def dotted(loc: Loc) -> str:
    """Return the way to a value as users write it: `items[3].name`."""
    path = ""
    for item in loc:
        if isinstance(item, int):
            path += f"[{item}]"
        elif re.fullmatch(r"[A-Za-z0-9_-]+", item):
            path += f".{item}" if path else item
        else:
            path += f"[{quoted(item)}]"
    return path


def load(path: Path, *, spelled: Collection[str] = ()) -> tuple[dict[str, Any], Positions]:
    """Read the YAML mapping in `path`.

    `spelled` names keys whose lists keep numbers with a point as text: 6.10 is not 6.1.
    Returns the data (dict, list, str, int, float, bool, None) and the positions of all of it.
    Raises ConfigError, with file and line, where the file cannot be read or is not one YAML mapping
    with unique keys that are text.
    """
    name = shown(path)
    text = _read(path, name)
    loader = None
    try:
        loader, node = _composed(text)
        if node is None:
            raise ConfigError(f"{name}:1: the file is empty; expected a mapping (lines of `key: value`)")
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{name}:{_line(node)}: expected a mapping (lines of `key: value`) at the top")
        problems = sorted(_structure_problems(node))
        if problems:
            raise ConfigError("\n".join(f"{name}:{line}: {what}" for line, what in problems))
        return _Builder(loader, name, spelled=spelled).build(node)
    except yaml.YAMLError as error:
        raise ConfigError(_syntax_error(error, name, text)) from error
    except RecursionError as error:
        raise ConfigError(f"{name}: nested too deeply to be read") from error
    finally:
        if loader is not None:
            loader.dispose()


def _composed(text: str) -> tuple[yaml.SafeLoader, yaml.Node | None]:
    """Return the node tree of a document and the loader that made it; raise YAMLError with PyYAML's message."""
    if sum(map(text.count, "[{-?:")) < MAX_FAST:
        with contextlib.suppress(yaml.YAMLError):
            return _document(_FastLoader(text))
    return _document(_Loader(text))


def _document(loader: yaml.SafeLoader) -> tuple[yaml.SafeLoader, yaml.Node | None]:
    try:
        return loader, loader.get_single_node()
    except BaseException:
        loader.dispose()
        raise


def _read(path: Path, name: str) -> str:
    """Return the text of `path`; ConfigError where it cannot be had."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{name}: there is no such file; check the path") from error
    except OSError as error:
        raise ConfigError(f"{name}: the file cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{name!r}: not a path that a file can have: {error}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{name}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from error


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _syntax_error(error: yaml.YAMLError, name: str, text: str) -> str:
    """One line for what PyYAML says in several."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"{name}:{line}: not valid YAML: character #x{ord(text[error.position]):04x} is not allowed"
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"{name}: not valid YAML: {error}"
    mark = error.problem_mark or error.context_mark
    where = f"{name}:{mark.line + 1}" if mark else name
    context, problem = error.context or "", error.problem or ""
    if context and error.context_mark and mark and error.context_mark.line != mark.line:
        context += f" that begins on line {error.context_mark.line + 1}" if context.startswith("while") else ""
    what = f"{context}{', ' if problem.startswith('but ') else ': '}{problem}" if context else problem
    hint = "; indent with spaces" if "'\\t'" in what else ""
    if problem.startswith("mapping values"):
        hint = "; a value with a colon and a space in it must be in quotes"
    return f"{where}: not valid YAML: {what}{hint}"


def _structure_problems(root: yaml.Node) -> Iterator[tuple[int, str]]:
    """Yield (line, problem) for what YAML allows and these files do not."""
    seen: set[int] = set()
    todo = [root]
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        children: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            yield from _key_problems(node)
            children = [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            children = list(node.value)
        yield from _tag_problems(node)
        todo.extend(children)


def _key_problems(node: yaml.MappingNode) -> Iterator[tuple[int, str]]:
    first: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag not in _SCALARS | {_MERGE}:
            yield _line(key), "a key must be text, not a list, a mapping or a tagged value"
        elif key.tag not in (_STRING, _MERGE):
            kind = _KIND_OF_TAG[key.tag.removeprefix(_TAG)]
            yield _line(key), f'a key must be text, and YAML reads {key.value} as {kind}; quote it: "{key.value}"'
        elif key.value in first:
            yield _line(key), f'the key "{key.value}" is here twice, first on line {first[key.value]}'
        else:
            first[key.value] = _line(key)


def _tag_problems(node: yaml.Node) -> Iterator[tuple[int, str]]:
    allowed = (
        {f"{_TAG}map"}
        if isinstance(node, yaml.MappingNode)
        else {f"{_TAG}seq"}
        if isinstance(node, yaml.SequenceNode)
        else _SCALARS
    )
    if node.tag not in allowed:
        tag = node.tag.replace(_TAG, "!!")
        yield _line(node), f"the YAML tag {tag} has no meaning here; remove it"


class _Builder:
    """Makes data and positions of a checked node graph; one use per file."""

    def __init__(self, loader: yaml.SafeLoader, name: str, *, spelled: Collection[str]) -> None:
        self._loader = loader
        self._spelled = spelled
        self._name = name
        self._lines: dict[Loc, int] = {}
        self._texts: dict[Loc, str] = {}
        self._open: set[int] = set()
        self._count = 0

    def build(self, root: yaml.MappingNode) -> tuple[dict[str, Any], Positions]:
        self._lines[()] = _line(root)
        data = self._mapping(root, ())
        return data, Positions(lines=self._lines, texts=self._texts)

    def _value(self, node: yaml.Node, loc: Loc) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            raise ConfigError(f"{self._name}:{_line(node)}: more than {MAX_NODES} values; too many aliases?")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, loc)
        if id(node) in self._open:
            raise ConfigError(f"{self._name}:{_line(node)}: an alias is inside its own anchor")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc)
        self._open.add(id(node))
        items = []
        for index, item in enumerate(node.value):
            self._lines[(*loc, index)] = _line(item)
            items.append(self._value(item, (*loc, index)))
        self._open.discard(id(node))
        return items

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        self._open.add(id(node))
        self._loader.flatten_mapping(node)  # carries out `<<`; on a node without it, it does nothing
        data: dict[str, Any] = {}
        for key, value in node.value:
            here = (*loc, key.value)
            self._lines[here] = _line(key)
            data[key.value] = self._value(value, here)
        self._open.discard(id(node))
        return data

    def _scalar(self, node: yaml.ScalarNode, loc: Loc) -> Any:
        where = f"{self._name}:{_line(node)}: {dotted(loc)}"
        if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in node.value):
            raise ConfigError(f"{where}: a NUL or half a surrogate pair cannot be used in any value here")
        self._texts[loc] = node.value
        if node.tag == _FLOAT and len(loc) > 1 and loc[-2] in self._spelled:
            return node.value
        try:
            return self._loader.construct_object(node)
        except (ValueError, LookupError) as error:
            kind = _KIND_OF_TAG.get(node.tag.removeprefix(_TAG), "text")
            what = quoted(node.value[:40])
            raise ConfigError(f"{where}: YAML cannot read {what} as {kind}; quote it if it is text") from error
