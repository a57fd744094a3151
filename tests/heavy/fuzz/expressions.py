"""Input for `micrograd-like step`: an expression, and the numbers for its names."""

from __future__ import annotations

import ast
import math
import shlex

from micrograd_like import Value
from micrograd_like.expressions import FUNCTIONS, ExpressionError, parse, parse_settings, typed
from micrograd_like.graph import nodes_of
from tests.heavy.fuzz.target import Target

SEPARATOR = b"\xff"  # between the arguments, since no UTF-8 has it
LONGEST_MESSAGE = 1000  # two parts of 40 characters, each written out as \U0010ffff at worst

# Python's own, on floats. Functions with a formula of ours differ in the last digit: left out.
PYTHONS = {"abs": abs, "exp": math.exp, "sqrt": math.sqrt, "detach": lambda a: a}

# All that a tree may hold if the parser has let it through, written down once more.
HARMLESS = (
    *(ast.Module, ast.Expr, ast.Assign, ast.Name, ast.Load, ast.Store, ast.Constant, ast.Call),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.UnaryOp, ast.UAdd, ast.USub),
)


def arguments(data: bytes) -> list[str]:
    """As a program gets them from its command line."""
    return [part.decode("utf-8", "surrogateescape") for part in data.split(SEPARATOR)]


def check(data: bytes) -> None:
    text, *settings = arguments(data)
    try:
        numbers = parse_settings(settings)
        root, names = parse(text, numbers)
    except ExpressionError as error:
        message = str(error)
    else:
        compare(text, numbers, root, names)
        return
    assert message.isprintable(), f"a message that is not one line: {message!r}"
    assert len(message) <= LONGEST_MESSAGE, (
        f"a message of {len(message)} characters: {message:.200}"
    )


def compare(text: str, numbers: dict[str, float], root: Value, names: dict[str, Value]) -> None:
    """Hold what was read to what Python reads, and go backward through it."""
    tree = ast.parse(typed(text.strip()))
    for node in ast.walk(tree):
        assert isinstance(node, HARMLESS), f"{type(node).__name__} was let through"
    for part in [root, *names.values()]:
        assert isinstance(part, Value), f"{part!r} is no Value"
    by_python = evaluated(tree, numbers)
    if by_python is not None:
        assert same(root.data, by_python), f"{root.data!r}, and {by_python!r} in Python"
    root.backward()
    if root.op:
        assert root.grad == 1.0
    assert all(type(node.grad) is float for node in nodes_of(root))


def evaluated(tree: ast.Module, numbers: dict[str, float]) -> float | None:
    """The number Python makes of the expression; None where it raises, or has not our functions."""
    known = {"pi": math.pi, "inf": math.inf, "nan": math.nan, **numbers}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = float(node.value)  # type: ignore[arg-type]
        elif isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name)
            if node.func.id not in PYTHONS:
                return None
            node.func.id = f"_{node.func.id}"  # since a name may be that of a function
        elif isinstance(node, ast.Assign) and node is tree.body[-1]:
            tree.body[-1] = ast.copy_location(ast.Expr(node.value), node)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    space = {"__builtins__": {}, **known, **{f"_{name}": f for name, f in PYTHONS.items()}}
    try:
        exec(compile(tree, "<input>", "exec"), space)
        result = eval(compile(ast.Expression(last.value), "<input>", "eval"), space)
    except (ArithmeticError, ValueError, TypeError):  # math domain error; abs of a complex number
        return None
    return result if isinstance(result, float) else None


def same(a: float, b: float) -> bool:
    """To the bit; all nan are one."""
    return a.hex() == b.hex() or (a != a and b != b)


def shown(data: bytes) -> str:
    text = shlex.join(["micrograd-like", "step", *arguments(data)])
    return text if text.isascii() and text.isprintable() else ascii(text)


def seeds() -> list[bytes]:
    written = [
        ("tanh(2*a + b)", "a=1", "b=-3"),
        ("c = a*b; d = c + a**2; tanh(c) + d/2", "a=0.5", "b=-3e-2"),
        ("logsumexp(a, b, 0) - maximum(a, b)", "a=1000", "b=inf"),
        ("-log1p(exp(-a)) * +b", "a=-745", "b=1e308"),
        ("relu(a - 1)/sqrt(abs(b)) + minimum(a, 0x10)", "a=.5", "b=0"),
        ("sigmoid(softplus(x)) - detach(x)", "x=-0.0"),
        ("µ**-0.5 * 2**µ", "µ=4"),
        ("sin(cos_)*pi/1_000", "cos_=nan"),
        ("k = 2; c = k*a\nL = c - (1 - c)**3  # a loss", " a = 1 "),
        ("a**b**2 - a/b/a - -a", "a=2", "b=3"),
        ("exp(exp)", "exp=0"),
        ("log(-1) + 1/0 - 0/0 + 1e309",),
        ("tanh(" * 190 + "a" + ")" * 190, "a=1"),
        ("-" * 190 + "a" + "*(a" * 150 + ")" * 150, "a=1"),
        ("a" * 900 + "+0", "a" * 900 + "=1"),
    ]
    return [SEPARATOR.join(part.encode() for part in parts) for parts in written]


TOKENS = [
    *(f"{name}(" for name in FUNCTIONS),
    *("logsumexp(", "pi", "inf", "nan", "**", "; c = ", "a=1", "b=-3", "-", "0.5", "1e308"),
    *("lambda x: ", " if a else ", ".data", "[0]", ":=", "*a", "'", "f'{a}'", "1j", "0x", "1_0"),
    *("\\\n", "#", "\r", "\f", "\t", "\0", "\ufeff", "ﬁ", "µ", "∂", " and ", "not ", "...", "a, b"),
    *("__import__('os')", "True", "((((", "))))", "yield ", "await a", "import os", "x=a", '"""'),
    *("(a for a in b)", "match a:\n case b: c", "a: b = c"),
]

EXPRESSIONS = Target(check, seeds, [SEPARATOR, *(token.encode() for token in TOKENS)], 4096, shown)
