"""scenario.py: a case that is a Python file, as far as it can be read before any guest runs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.config.reading.explain import did_you_mean
from harness.errors import ConfigError
from harness.host.paths import shown

if TYPE_CHECKING:
    import ast

SCENARIO_FILE = "scenario.py"
FUNCTION = "scenario"


@dataclass(frozen=True, kw_only=True)
class WrittenScenario:
    """A scenario.py: its text, what messages call it, and the title and description that its docstring gives."""

    file: str
    source: str
    title: str = ""
    description: str = ""


def read_scenario(folder: Path) -> WrittenScenario | None:
    """Return the scenario of a case's folder, None where it has none.

    Raises ConfigError, with file and line, where it cannot be read or compiled, or has no function `scenario(guest)`.
    """
    path = folder / SCENARIO_FILE
    if not path.is_file():
        return None
    import ast  # noqa: PLC0415  (few cases need it)

    try:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source, str(path))
        compile(source, str(path), "exec", dont_inherit=True)
    except OSError as error:
        raise ConfigError(f"{shown(path)}: cannot be read: {error.strerror}") from error
    except SyntaxError as error:
        raise ConfigError(f"{shown(path)}:{error.lineno or 1}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{shown(path)}: cannot be read as Python: {error}") from error
    for line, text in _problems(tree):
        raise ConfigError(f"{shown(path)}:{line}: {text}")
    title, _, description = (ast.get_docstring(tree) or "").partition("\n")
    folder = folder.absolute()
    return WrittenScenario(
        file=f"{folder.parent.name}/{folder.name}/{SCENARIO_FILE}",
        source=source,
        title=title.strip(),
        description=description.strip(),
    )


def _problems(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of what keeps a module from being a scenario."""
    import ast  # noqa: PLC0415

    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    bound = {
        name.id
        for each in tree.body
        if isinstance(each, ast.Assign | ast.AnnAssign)
        for name in ast.walk(each)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }
    found = functions.get(FUNCTION)
    if found is None:
        if FUNCTION not in bound:
            near = did_you_mean(FUNCTION, list(functions))
            yield 1, f"has no function {FUNCTION}{near}; define `def {FUNCTION}(guest):`, which is given the guest"
        return
    if isinstance(found, ast.AsyncFunctionDef):
        yield found.lineno, f"{FUNCTION} is called, not awaited: define it with `def`, without `async`"
    elif any(isinstance(each, ast.Yield | ast.YieldFrom) for each in _own_nodes(found)):
        yield found.lineno, f"{FUNCTION} is called once: it must not be a generator (it has a `yield`)"
    arguments = found.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    keywords = sum(default is None for default in arguments.kw_defaults)
    if (not positional and arguments.vararg is None) or required > 1 or keywords:
        yield found.lineno, f"{FUNCTION} is given one argument, the guest: define `def {FUNCTION}(guest):`"


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of the functions in it."""
    import ast  # noqa: PLC0415

    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
