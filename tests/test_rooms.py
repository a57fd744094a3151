"""The shape of the package: imports go down the floors only, one room above the other."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import micrograd_like

PACKAGE = Path(micrograd_like.__file__).parent

# From the ground up: a module imports from its own floor and from those below. A folder stands for
# the modules in it.
FLOORS = [
    {"operation", "floats", "ops"},
    {"engine", "functions"},
    {"_internal"},
    {"calculus", "expressions", "graph"},
    {"stepping"},
    {"programs"},
    {"datasets", "losses", "nn", "optim"},
    {"training"},
    {"render"},
    {"", "__main__", "cli"},
]
NETWORKS = {"losses", "nn", "optim", "training"}

FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if "_native" not in path.parts]


def name_of(path: Path) -> str:
    """The module's name inside the package, "" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def floor(module: str) -> int:
    places = [i for i, names in enumerate(FLOORS) if module.partition(".")[0] in names]
    assert len(places) == 1, f"write down in FLOORS where {module!r} belongs"
    return places[0]


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """All that is ever executed: what only a type checker reads is left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for other in node.orelse:
                yield from (other, *running(other))
        else:
            yield from (node, *running(node))


def imported(module: str) -> set[str]:
    """The modules of the package that `module` imports, at its top or in its functions."""
    names: set[str] = set()
    for node in running(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports from where it lies: write the whole name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    own = [f"{name}." for name in names if f"{name}.".startswith("micrograd_like.")]
    inside = [name.removeprefix("micrograd_like.").removesuffix(".") for name in own]
    return {name if name in MODULES else name.rpartition(".")[0] for name in inside}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    for other in imported(module):
        assert floor(other) <= floor(module), f"{module or 'the package'} imports {other}"


def test_modules_do_not_import_each_other_in_circles() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"{' imports '.join((*path, module))}"
        if module not in done:
            for other in imported(module) - {module}:
                visit(other, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("programs")])
def test_the_compiler_knows_nothing_of_networks(module: str) -> None:
    assert not imported(module) & NETWORKS


def test_the_floors_name_no_module_that_is_gone() -> None:
    assert {name for names in FLOORS for name in names} <= set(MODULES)


def test_importing_the_package_imports_nothing_that_was_installed() -> None:
    program = "import sys; a = {*sys.modules}; import micrograd_like; print(*{*sys.modules} - a)"
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    loaded = run.stdout.split()
    tops = {name.partition(".")[0] for name in loaded}
    compiler = {name for name in tops if "cython" in name}  # made up by the native engine
    assert tops - compiler <= {*sys.stdlib_module_names, "micrograd_like"}
    assert "micrograd_like.engine" in loaded
    own = {name for name in loaded if name.startswith("micrograd_like.")}
    assert {floor(x.partition(".")[2]) for x in own if x.partition(".")[2] in MODULES} <= {0, 1, 2}


def docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The docstrings of a module, its classes and its functions, each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            text = ast.get_docstring(node)
            if text is not None:
                yield node.body[0].lineno, text


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_name_their_subject_first(module: str) -> None:
    opening = re.compile(r"(?:\A|[.:;!?]\s+)(?:What|How|Why|Whether|Which|Where|Who|Whose)\b.*")
    for line, text in docstrings(ast.parse(MODULES[module].read_text())):
        found = opening.search(text)
        assert found is None, f"{module}, line {line}: begin with the subject: {found[0]!r}"
