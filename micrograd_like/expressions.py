"""Expressions typed by a person, read from a whitelist; nothing is ever evaluated as code."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from unicodedata import normalize
from warnings import catch_warnings

from micrograd_like import ops
from micrograd_like._internal.text import one_line, quoted
from micrograd_like.engine import Value
from micrograd_like.functions import logsumexp
from micrograd_like.operation import Op

_LONGEST = 2000  # characters
_DEEPEST = 200  # operations within operations
_GREATEST_EXPONENT = 1000.0

_OPERATORS: dict[type[ast.operator | ast.unaryop], Op] = {
    ast.Add: ops.add,
    ast.Sub: ops.sub,
    ast.Mult: ops.mul,
    ast.Div: ops.div,
    ast.USub: ops.neg,
}

FUNCTIONS: dict[str, Op] = {
    op.name: op
    for op in (
        *(ops.exp, ops.log, ops.log1p, ops.sqrt, ops.sin, ops.cos, ops.tanh, ops.sigmoid),
        *(ops.tan, ops.asin, ops.acos, ops.atan, ops.atan2, ops.hypot),
        *(ops.expm1, ops.sinh, ops.cosh, ops.erf),
        *(ops.softplus, ops.relu, ops.absolute, ops.maximum, ops.minimum, ops.detach),
    )
}
"""What an expression may call, besides logsumexp of any number of operands."""

_ELSEWHERE = {
    "ln": "log",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "max": "maximum",
    "min": "minimum",
    "sigma": "sigmoid",
    "sig": "sigmoid",
    "logistic": "sigmoid",
    "pow": "**",
    "power": "**",
    "fabs": "abs",
}
"""What functions are called in other places."""

_PRINTED = str.maketrans({"−": "-", "·": "*", "×": "*", "÷": "/"})
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_POWER = re.compile("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_NO_SIGN = re.compile(r"(?<![\w.])(\d+(?:\.\d*)?)\s*([^\W\d_]\w*|\()")

_BARS = re.compile(r"\|([^|]+)\|")
_APART = re.compile(r"([^\W\d]\w*)\s+([^\W\d]\w*)")

_CONSTANTS = {"pi": math.pi, "π": math.pi, "inf": math.inf, "nan": math.nan}


def typed(text: str) -> str:
    """`text` with the signs that formulas are printed with as they are typed.

    >>> typed("−2·a²")
    '-2*a**2'
    """
    return _POWER.sub(lambda m: "**" + m[0].translate(_RAISED), text.translate(_PRINTED))


class ExpressionError(ValueError):
    """An expression that can't be read; one line that repeats the part in question."""


def parse(text: str, numbers: Mapping[str, float]) -> tuple[Value, dict[str, Value]]:
    """The graph that `text` describes, and its named nodes; `numbers` gives a number for each name.

    An expression has numbers, names, pi or π, inf, nan, + - * / **, parentheses, and calls of
    `FUNCTIONS`. With `;` between them, names can be given to parts: the last part is the root. A
    name that is given to a number alone is a leaf. − · × ÷ ² are read as on paper.

    >>> root, names = parse("c = 2*a + b; tanh(c)", {"a": 1.0, "b": -3.0})
    >>> root
    Value(data=-0.7615941559557649, grad=0.0)
    >>> names["c"]
    Value(data=-1.0, grad=0.0, label='c')

    ExpressionError for anything else, for a name without a number and a number without use, and
    for what is too long, too deep, or has a constant exponent above 1000.
    """
    reader = _Reader(text, numbers)
    return reader.root, reader.names


def parse_settings(settings: Sequence[str]) -> dict[str, float]:
    """Numbers for names, from a=1 b=-3 as they are typed on a command line.

    >>> parse_settings(["a=1", "b=-3"])
    {'a': 1.0, 'b': -3.0}
    """
    numbers: dict[str, float] = {}
    for setting in settings:
        name, equals, number = setting.partition("=")
        name = normalize("NFKC", name.strip())  # as Python does with names
        if not equals or not name.isidentifier():
            raise ExpressionError(f"{quoted(setting)}: write a name and a number, such as a=1")
        if name in numbers:
            raise ExpressionError(f"{quoted(setting)}: {one_line(name)} has a number already")
        try:
            numbers[name] = float(typed(number))
        except ValueError:
            hint = ""
            if any(c.isdigit() for c in number) and any(c in number for c in "/*+()"):
                hint = f"; in the expression it can be computed, as in '{one_line(name)} = 1/3; …'"
            raise ExpressionError(
                f"{quoted(setting)}: {quoted(number)} is not a number{hint}"
            ) from None
    return numbers


class _Reader:
    def __init__(self, text: str, numbers: Mapping[str, float]) -> None:
        if len(text) > _LONGEST:
            raise ExpressionError(
                f"the expression has {len(text)} characters, more than the {_LONGEST} allowed"
            )
        self.text = typed(text.strip())
        self.used: set[str] = set()
        self.parts: dict[str, Value | float] = {n: Value(x, n) for n, x in numbers.items()}
        result: Value | float | None = None
        statements = self._statements()
        for statement in statements:
            result = self._part(statement)
            if isinstance(statement, ast.Expr) and statement is not statements[-1]:
                raise self._error(
                    statement,
                    "this part is dropped: give it a name and use it, as in c = a*b; c + 1",
                )
        if result is None:
            raise ExpressionError("the expression is empty: write one such as tanh(2*a + b)")
        for name, part in self.parts.items():
            if name not in self.used and part is not result:
                raise ExpressionError(f"{one_line(name)} is not used in {quoted(self.text)}")
        self.root = result if isinstance(result, Value) else Value(result)
        self.names = {n: part for n, part in self.parts.items() if isinstance(part, Value)}

    def _statements(self) -> list[ast.stmt]:
        try:
            with catch_warnings(action="ignore"):  # such as the one for "1if": it is refused anyway
                return ast.parse(self.text).body
        except SyntaxError as error:
            reason = error.msg
        except (ValueError, RecursionError, MemoryError) as error:
            reason = str(error) or "nested too deeply"
        raise ExpressionError(f"{reason}: {quoted(self.text)}{self._hint()}")

    def _hint(self) -> str:
        """The way to write what is written otherwise on paper."""
        if found := _NO_SIGN.search(self.text):
            return f"; {_product(*found.groups())}"
        if found := _BARS.search(self.text):
            return f"; an absolute value is written abs({one_line(found[1])})"
        if "√" in self.text:
            return "; a square root is written sqrt(…)"
        if not (found := _APART.search(self.text)):
            return ""
        name, operand = map(one_line, found.groups())
        if name in FUNCTIONS or name in _ELSEWHERE:
            return f"; an operand goes in parentheses, as in {name}({operand})"
        return f"; {_product(name, operand)}"

    def _error(self, node: ast.AST, problem: str) -> ExpressionError:
        part = ast.get_source_segment(self.text, node) or self.text
        return ExpressionError(f"{quoted(part)}: {problem}")

    def _part(self, statement: ast.stmt) -> Value | float:
        match statement:
            case ast.Expr(value=expression):
                return self._read(expression, 0)
            case ast.Assign(targets=[ast.Name(id=name)], value=expression):
                part = self._read(expression, 0)
                if name in self.parts:
                    raise self._error(statement, f"{one_line(name)} has a value already")
                if not isinstance(part, Value):
                    part = Value(part)  # a leaf: what has a name can be watched and set
                if not part.label:
                    part.label = name
                self.parts[name] = part
                return part
        raise self._error(statement, "only expressions and name = expression can be used here")

    def _read(self, node: ast.expr, depth: int) -> Value | float:
        if depth > _DEEPEST:
            raise self._error(node, f"more than {_DEEPEST} operations within each other")
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                try:
                    return float(number)
                except OverflowError:
                    raise self._error(node, "too large for a float") from None
            case ast.Name(id=name):
                return self._named(node, name)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._read(operand, depth + 1)
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _OPERATORS:
                return self._applied(_OPERATORS[type(sign)], [operand], depth)
            case ast.BinOp(op=ast.Pow()):
                return self._power(node, depth)
            case ast.BinOp(op=ast.BitXor()):
                raise self._error(node, "a power is written with **, as in a**2")
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
                return self._applied(_OPERATORS[type(sign)], [left, right], depth)
            case ast.Call(func=ast.Name(id=name), args=operands, keywords=[]):
                return self._called(node, name, operands, depth)
            case ast.Call(func=ast.Name(), keywords=[ast.keyword() as first, *_]):
                raise self._error(first, "operands are given without names")
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Constant, ast.BinOp)):
            raise self._error(node, "a product is written with *, as in 2*(a + b)")
        kind = _REFUSED.get(type(node), "this")
        raise self._error(node, f"{kind} can't be used in an expression")

    def _named(self, node: ast.expr, name: str) -> Value | float:
        self.used.add(name)
        if name in self.parts:
            return self.parts[name]
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in FUNCTIONS:
            raise self._error(node, f"a function of what is in parentheses, as in {name}(a)**2")
        raise self._error(node, f"no number is given for it, such as {one_line(name)}=1")

    def _applied(self, op: Op, operands: list[ast.expr], depth: int) -> Value | float:
        return op(*[self._read(operand, depth + 1) for operand in operands])  # type: ignore[no-any-return]

    def _power(self, node: ast.BinOp, depth: int) -> Value | float:
        base, exponent = self._read(node.left, depth + 1), self._read(node.right, depth + 1)
        if isinstance(exponent, float) and not abs(exponent) <= _GREATEST_EXPONENT:
            raise self._error(node, f"a constant exponent is {_GREATEST_EXPONENT:.0f} at most")
        result: Value | float = ops.power(base, exponent)
        if isinstance(result, float) and math.isinf(result) and base and not math.isinf(base):
            raise self._error(node, "too large for a float")
        return result

    def _known(self, name: str) -> str:
        """The functions there are, and the one that was meant, so far as that can be told."""
        known = [*FUNCTIONS, "logsumexp"]
        if name in self.parts:
            hint = f"; a product is written with *, as in {one_line(name)}*(…)"
        elif name in _ELSEWHERE:
            hint = f"; {name} is written {_ELSEWHERE[name]} here"
        else:
            swapped = [word for word in known if sorted(word) == sorted(name)]
            close = swapped or get_close_matches(name[:40], known, 1)
            hint = f"; is {close[0]} meant?" if close else ""
        return ", ".join(known) + hint

    def _called(
        self, node: ast.expr, name: str, operands: list[ast.expr], depth: int
    ) -> Value | float:
        if name == "logsumexp":
            terms = [self._read(operand, depth + 1) for operand in operands]
            return logsumexp(terms)  # type: ignore[no-any-return]
        if name not in FUNCTIONS:
            raise self._error(node, f"{one_line(name)} is not one of {self._known(name)}")
        op = FUNCTIONS[name]
        if len(operands) != len(op.partials):
            raise self._error(
                node, f"{name} takes {len(op.partials)} operand(s), got {len(operands)}"
            )
        return self._applied(op, operands, depth)


def _product(number: str, factor: str) -> str:
    rest = "(…)" if factor == "(" else one_line(factor)
    return f"a product is written with *, as in {one_line(number)}*{rest}"


_REFUSED: dict[type[ast.expr], str] = {
    ast.Attribute: "attribute access",
    ast.BinOp: "this operator",
    ast.BoolOp: "and/or",
    ast.Call: "calling anything but a function by its name",
    ast.Compare: "a comparison",
    ast.Constant: "a constant that is no number",
    ast.Dict: "a dict",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a generator",
    ast.IfExp: "if/else",
    ast.JoinedStr: "text",
    ast.Lambda: "a lambda",
    ast.List: "a list",
    ast.ListComp: "a comprehension",
    ast.NamedExpr: "an assignment",
    ast.Set: "a set",
    ast.SetComp: "a comprehension",
    ast.Starred: "a star",
    ast.Subscript: "indexing",
    ast.Tuple: "a comma",
    ast.UnaryOp: "this operator",
}
