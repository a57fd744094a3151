"""Makes the page of all public names from their docstrings: python docs/make_api.py."""

import ast
import inspect
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "micrograd_like"
API = HERE / "api.md"
HEAD = """# All names

Everything here is imported from `micrograd_like`; `help(name)` shows the examples too. This page is
made from the docstrings by `docs/make_api.py`.
"""
Documented = ast.ClassDef | ast.FunctionDef


def public() -> list[str]:
    """The package's `__all__`."""
    for node in ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    raise LookupError("__all__")


def text(node: Documented, first_paragraph: bool = False) -> str:
    """The docstring without its examples."""
    lines = inspect.cleandoc(ast.get_docstring(node) or "").split("\n\n")
    paragraphs = [part for part in lines if not part.lstrip().startswith(">>>")]
    said = "\n\n".join(paragraphs[:1] if first_paragraph else paragraphs)
    return re.sub(":$", ".", said)  # an example followed


def call(node: ast.FunctionDef, method: bool = False) -> str:
    """The name and its arguments, without their types."""
    arguments = node.args
    for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
        argument.annotation = None
    for rest in (arguments.vararg, arguments.kwarg):
        if rest:
            rest.annotation = None
    if method:
        del (arguments.posonlyargs or arguments.args)[0]
    return f"{node.name}({ast.unparse(arguments)})"


def entry(node: Documented) -> str:
    """One name: how it is called, what it says, and the methods of a class."""
    if isinstance(node, ast.FunctionDef):
        return f"### `{call(node)}`\n\n{text(node)}"
    functions = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
    start = functions.get("__init__")
    heading = call(start, method=True).replace("__init__", node.name, 1) if start else node.name
    methods = []
    for function in functions.values():
        decorators = {ast.unparse(decorator) for decorator in function.decorator_list}
        if function.name.startswith("_") or any(".setter" in name for name in decorators):
            continue
        shown = function.name if "property" in decorators else call(function, method=True)
        said = " ".join(text(function, first_paragraph=True).split())
        methods.append(f"- `.{shown}`: {said}" if said else f"- `.{shown}`")
    return "\n\n".join(filter(None, [f"### `{heading}`", text(node), "\n".join(methods)]))


def page() -> str:
    """The page: a section a module, in the order of their names, entries in theirs."""
    wanted, parts = set(public()), [HEAD]
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if re.match(r"_native|_internal|cli", name):
            continue
        body = ast.parse(path.read_text(encoding="utf-8")).body
        nodes = [node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
        last = {node.name: node for node in nodes}  # of an overloaded one the whole
        entries = [entry(node) for name, node in last.items() if name in wanted]
        wanted -= {node.name for node in nodes}
        if entries:
            parts += [f"## {name.removesuffix('.__init__')}", *entries]
    parts.append(f"## Beside them\n\n{', '.join(f'`{name}`' for name in sorted(wanted))}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


if __name__ == "__main__":
    API.write_text(page(), encoding="utf-8")
