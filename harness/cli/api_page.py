"""The page of what a scenario.py works with, made from the docstrings of its module. Pure but for its place."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

API_PAGE = "scenario-api.md"
API_SOURCES = tuple(
    Path(__file__).resolve().parent.parent / "agent" / name
    for name in (
        "scenario_api.py",
        "scenario_objects.py",
        "scenario_triggers.py",
        "scenario_reading.py",
        "scenario_base.py",
    )
)
_HEAD = """# What a scenario.py works with

Made by `invoke schema` from the docstrings of `harness/agent/scenario_api.py`; [scenario.md](scenario.md) says how to
write one. `from harness.guest_api import Guest` gives editors and type checkers these types.
"""


def page_of(*sources: str) -> str:
    """Return the page, as Markdown, of the classes that the first of some modules makes public, in their order."""
    trees = [ast.parse(source) for source in sources]
    public = _public(trees[0])
    bodies = [each for tree in trees for each in tree.body]
    classes = [each for each in bodies if isinstance(each, ast.ClassDef) and each.name in public]
    classes.sort(key=lambda each: [ast.unparse(base) for base in each.bases] == ["Exception"])  # these last
    return "\n".join([_HEAD, *(line for each in classes for line in _class(each))])


def _public(tree: ast.Module) -> set[str]:
    """Return the names in `__all__`."""
    for each in tree.body:
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name) and each.targets[0].id == "__all__":
            return set(ast.literal_eval(each.value))
    return set()


def _class(found: ast.ClassDef) -> Iterator[str]:
    yield from [f"## {found.name}", "", _docstring(found), ""]
    for each in found.body:
        if not isinstance(each, ast.FunctionDef) or (each.name.startswith("_") and each.name not in _OPERATORS):
            continue
        decorators = {ast.unparse(decorator) for decorator in each.decorator_list}
        shown = each.name if "property" in decorators else _signature(found.name, each)
        yield from ["```python", shown, "```", ""]
        if ast.get_docstring(each):
            yield from [_docstring(each), ""]


_OPERATORS = {"__getitem__": "{0}[{1}]", "__setitem__": "{0}[{1}] = {2}", "__iter__": "for each in {0}"}
_MOST = 100
"""The longest signature that is one line."""


def _signature(owner: str, function: ast.FunctionDef) -> str:
    """Return how a method is called: its parameters as they are written, and what it returns."""
    own = function.args.args[1:]
    if function.name in _OPERATORS:
        return _OPERATORS[function.name].format(owner.lower(), *(each.arg for each in own))
    given = ast.arguments(**{**vars(function.args), "args": own})
    returns = f" -> {ast.unparse(function.returns)}" if function.returns is not None else ""
    line = f"{function.name}({ast.unparse(given)}){returns}"
    if len(line) <= _MOST:
        return line
    keywords = [
        f"{each.arg}: {ast.unparse(each.annotation)}{f' = {ast.unparse(default)}' if default else ''}"
        for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if each.annotation is not None
    ]
    first = ast.unparse(ast.arguments(**{**vars(given), "kwonlyargs": [], "kw_defaults": []}))
    lines = [*([first] if first else []), "*", *keywords] if keywords else [first]
    return "\n".join([f"{function.name}(", *(f"    {each}," for each in lines), f"){returns}"])


def _docstring(node: ast.ClassDef | ast.FunctionDef) -> str:
    return inspect.cleandoc(ast.get_docstring(node) or "")
