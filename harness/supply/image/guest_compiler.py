"""Compiles what goes into guests. The guest image's own Python runs this file, since bytecode is for one version of it.

    guest_compiler.py FOLDER

Of FOLDER/*.py and FOLDER/agent/*.py it makes FOLDER/service.pyc, and FOLDER/agent.modules: what marshal makes of the
agent, module name -> code object. What only a type checker reads is left out, so annotations cost a guest nothing:
neither their bytes on a slow line, nor an import of `__future__`. So are docstrings and assertions.
"""

from __future__ import annotations

import ast
import importlib.util
import marshal
import sys
from pathlib import Path
from types import CodeType

SERVICE = "guest_service.py"
COMPILED_SERVICE, COMPILED_AGENT = "service.pyc", "agent.modules"


class Untyped(ast.NodeTransformer):
    """Removes annotations, `if TYPE_CHECKING:`, and what is imported from __future__."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Remove the types of parameters and result."""
        node.returns = None
        arguments = node.args
        for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
            if each is not None:
                each.annotation = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Make it an assignment, or nothing where there is no value."""
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        """Remove what only a type checker imports."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" and not node.orelse:
            return None
        return self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        """Remove `from __future__ import annotations`: there are none."""
        return None if node.module == "__future__" else node


def module_name(file: str) -> str:
    """Return the name of the module that a file of the harness is."""
    return "harness." + file.removesuffix(".py").replace("/", ".")


def compiled(source: bytes, file: str) -> CodeType:
    """Return the code object of a program's file; its tracebacks name it as a file of the harness."""
    tree = Untyped().visit(ast.parse(source, f"harness/{file}"))
    return compile(tree, f"harness/{file}", "exec", dont_inherit=True, optimize=2)


def pyc(source: bytes, file: str) -> bytes:
    """Return a program as a .pyc file that is taken as it is, whatever its source (PEP 552, unchecked)."""
    head = importlib.util.MAGIC_NUMBER + (0b01).to_bytes(4, "little") + importlib.util.source_hash(source)
    return head + marshal.dumps(compiled(source, file))


def main(folder: Path) -> None:
    """Compile the programs of a folder."""
    sources = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.py"))}
    (folder / COMPILED_SERVICE).write_bytes(pyc(sources.pop(SERVICE), SERVICE))
    modules = {module_name(file): compiled(source, file) for file, source in sources.items()}
    (folder / COMPILED_AGENT).write_bytes(marshal.dumps(modules))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
