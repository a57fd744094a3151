"""Formulas: an expression read on symbols, and written down as a teacher would write it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, final

from micrograd_like._internal.cuts import read_partial
from micrograd_like._internal.interrupts import not_by_a_handler
from micrograd_like._internal.text import Text, folded, number, rounded
from micrograd_like.operation import LINE, OPS, Op, Operators, evaluate, real

_LONGEST: Final = 500  # characters; shared subexpressions could make a text of any length


@final
class Symbol(Operators):
    """An expression: a name, a number, or an operation (`head`) of other expressions (`operands`).

    It stays exactly as it was recorded, and so `evaluate` gives the same bits as the expression
    read on floats. `str()` simplifies what it writes.

    >>> a = Symbol("a")
    >>> formula = (a * 1 + 0) / (1 + a.exp()) ** 2
    >>> print(formula)
    a/(1 + exp(a))²
    >>> formula.evaluate({"a": 0.5})
    0.07126847829827547
    """

    __slots__ = ("_shown", "head", "operands")

    def __init__(self, head: str | float | Op, operands: tuple[Symbol, ...] = ()) -> None:
        self.head: Final = head if isinstance(head, (str, Op)) else real(head)
        self.operands: Final = operands
        self._shown: Symbol | None = None  # how it is written, where not as it is

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Symbol:
        return Symbol(op, tuple([x if isinstance(x, Symbol) else Symbol(x) for x in operands]))

    def __str__(self) -> str:
        return _text(self._shown or _simplified(self))

    def __repr__(self) -> str:
        return f"<Symbol {self}>"

    @property
    def latex(self) -> str:
        r"""The formula for a document of mathematics.

        >>> (Symbol("a") / (1 + Symbol("v2").exp())).latex
        '\\frac{a}{1 + \\exp(v_{2})}'
        """
        return _written(self._shown or _simplified(self), _latex_piece)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"

    def evaluate(self, numbers: Mapping[str, float]) -> float:
        """The number that the expression has when every name stands for the number given for it.

        A name without a number raises ValueError.
        """
        heads = [symbol.head for symbol in _operands_first(self)]
        if missing := [x for x in heads if isinstance(x, str) and x not in numbers]:
            raise ValueError(f"no number for {missing[0]!r} in {self}: got {sorted(numbers)}")
        found: float = self.read(
            {name: real(x) for name, x in numbers.items()},
            lambda op, *operands: evaluate(op.forward, operands),
        )
        return found

    def read(self, things: Mapping[str, Any], call: Callable[..., Any]) -> Any:
        """The result of `call`, made for every operation with its operands; names are `things`."""
        results: dict[Symbol, Any] = {}
        for symbol in _operands_first(self):
            head = symbol.head
            if isinstance(head, Op):
                results[symbol] = call(head, *[results[x] for x in symbol.operands])
            else:
                results[symbol] = head if isinstance(head, float) else things[head]
        return results[self]

    def replaced(self, parts: Mapping[Symbol, Symbol]) -> Symbol:
        """The expression with others in the place of some parts, its numbers to fifteen digits."""
        found: dict[Symbol, Symbol] = {}
        for symbol in _operands_first(self):
            head = symbol.head
            head = float(f"{head:.15g}") if isinstance(head, float) else head
            operands = tuple([found[x] for x in symbol.operands])
            found[symbol] = parts.get(symbol) or Symbol(head, operands)
        return found[self]


def local_derivative(
    op: Op,
    index: int,
    operands: Sequence[str | float],
    out: str,
    numbers: Mapping[str, float] | None = None,
) -> Symbol:
    """The derivative of `out = op(operands)` by operand `index`, with the result called by name.

    Operands are names, or numbers where the node has a plain number. If `numbers` for the names
    are given and the textbook's formula of them as they are shown comes out wrong, such as 1 − 1,
    the text is a formula that computes.

    >>> from micrograd_like import ops
    >>> derivative = local_derivative(ops.tanh, 0, ["e"], "L")
    >>> print(derivative)
    1 − L²
    >>> derivative.evaluate({"e": 20.0})
    1.6993417021166355e-17
    >>> print(local_derivative(ops.tanh, 0, ["e"], "L", {"e": 20.0, "L": 1.0}))
    4·exp(−2·|e|)/(1 + exp(−2·|e|))²
    >>> print(local_derivative(ops.power, 0, ["a", 3.0], "c"))
    3·a²
    """
    derivative, short, careful = forms_of_derivative(op, index, operands, out)
    derivative._shown = careful if numbers and not _computes(short, derivative, numbers) else short
    return derivative


def forms_of_derivative(
    op: Op, index: int, operands: Sequence[str | float], out: str
) -> tuple[Symbol, Symbol, Symbol]:
    """A local derivative as the row has it, as a textbook has it, and with all its digits.

    >>> from micrograd_like import ops
    >>> print(*forms_of_derivative(ops.tanh, 0, ["e"], "L")[1:], sep=", ")
    1 − L², 4·exp(−2·|e|)/(1 + exp(−2·|e|))²
    """
    symbols = tuple([Symbol(x) for x in operands])
    partial = read_partial(op, index, *symbols, Symbol(out))
    symbolic = isinstance(partial, Symbol)
    derivative = Symbol(partial.head, partial.operands) if symbolic else Symbol(partial)
    made = Symbol(op, symbols)
    short, careful = [_simplified(derivative, made, out, tails=x) for x in (False, True)]
    return derivative, short, careful


MOST_OFF = 0.02  # what a formula of numbers with four digits may be off by


def _computes(short: Symbol, derivative: Symbol, numbers: Mapping[str, float]) -> bool:
    """True if the formula, of the numbers that are shown, gives the derivative."""
    shown = {name: rounded(x) for name, x in numbers.items()}
    try:
        given, right = short.evaluate(shown), derivative.evaluate(numbers)
    except ValueError:  # a number that is not known any more
        return True
    return not math.isfinite(right) or abs(given - right) <= MOST_OFF * abs(right)


def forward_formula(op: Op, operands: Sequence[str | float], out: str) -> str:
    """The computation of a node, as it was written: nothing is simplified.

    >>> from micrograd_like import ops
    >>> forward_formula(ops.mul, [1.0, "a"], "c")
    'c = 1·a'
    """
    return f"{out} = {formula_of(op, operands)}"


def formula_of(op: Op, operands: Sequence[str | float]) -> str:
    """The same without what comes out."""
    return _text(applied(op, operands))


def applied(op: Op, operands: Sequence[Symbol | str | float]) -> Symbol:
    """The operation of operands, as a reader wants it written."""
    symbols = tuple([x if isinstance(x, Symbol) else Symbol(x) for x in operands])
    written: Symbol = op.textbook(*symbols) if op.textbook else Symbol(op, symbols)
    return written


def as_typed(expression: Symbol) -> str:
    """An expression as it was written: nothing is simplified but what is made of numbers alone.

    >>> a = Symbol("a")
    >>> as_typed(-a * (-a) * 1), str(-a * (-a) * 1)
    ('−a·(−a)·1', 'a·a')
    """
    found: dict[Symbol, Symbol] = {}
    for symbol in _operands_first(expression):
        head, operands = symbol.head, tuple([found[x] for x in symbol.operands])
        numbers = [x.head for x in operands if isinstance(x.head, float)]
        alone = isinstance(head, Op) and len(numbers) == len(operands)
        found[symbol] = (
            Symbol(float(f"{evaluate(head.forward, numbers):.15g}"))  # type: ignore[union-attr]
            if alone
            else Symbol(head, operands)
        )
    return _text(found[expression])


def held(name: str) -> str:
    """A name as it stands in a formula: in parentheses where it reads like one itself.

    >>> held("w[0]"), held("a + b"), held("x²")
    ('w[0]', '(a + b)', '(x²)')
    """
    return f"({name})" if _LOOSE.search(name) else name


_LOOSE: Final = re.compile(r"^[\d.]|[\s,+\-−±·×*/÷^|=<>⁰¹²³⁴⁵⁶⁷⁸⁹⁻]")


def _operands_first(root: Symbol) -> list[Symbol]:
    order: list[Symbol] = []
    entered: set[Symbol] = set()
    stack = [(root, False)]
    while stack:
        symbol, done = stack.pop()
        if done:
            order.append(symbol)
        elif symbol not in entered:
            entered.add(symbol)
            stack.append((symbol, True))
            stack += [(operand, False) for operand in symbol.operands]
    return order


# A row of the table, as a reader wants it.


def describe(op: Op) -> Text:
    """The row as text: what it computes, its derivatives, domain, kinks, and where that is from.

    >>> from micrograd_like import ops
    >>> describe(ops.tanh)
    out = tanh(a)
      ∂out/∂a = 1 − out²
      in floats: 1 − tanh² rounds to 0 from |a| = 20 on; 4/(eᵃ + e⁻ᵃ)² is computed
      from: dlmf.nist.gov, equation 4.34.8
    """
    names = ["a", "b"][: len(op.partials)]
    lines = [forward_formula(op, names, "out")]
    for i, name in enumerate(names):
        try:
            slope = local_derivative(op, i, names, "out")
        except not_by_a_handler(Exception) as error:  # somebody's own row may ask for floats
            lines.append(f"  ∂out/∂{name} is no formula: {error}")
            continue
        lines.append(f"  ∂out/∂{name} = {slope}")
        used = [x.head for x in _operands_first(slope) if isinstance(x.head, Op)]
        lines += [f"  in floats: {head.source}" for head in used if head.textbook]
    bounds = zip(names, op.domain, strict=False)
    limits = [f"{low:g} ≤ {n} ≤ {high:g}" for n, (low, high) in bounds if (low, high) != LINE]
    lines += [f"  domain: {', '.join(limits)}".replace("-", "−")] if limits else []
    at, where = ([0.0], "a = 0") if len(names) == 1 else ([1.0, 1.0], "a = b")
    if sides := jump(op, 0, at):
        below, above = map(number, sides)
        taken = number(evaluate(op.partials[0], (*at, evaluate(op.forward, at))))
        lines.append(
            f"  kink at {where}: ∂out/∂a is {below} below and {above} above, and {taken} is taken"
        )
    lines += [f"  from: {op.source}"] if op.source else []
    return Text("\n".join([folded(line) for line in dict.fromkeys(lines)]))


def latex(op: Op) -> str:
    """The row as formulas of LaTeX: what it computes, and its derivatives."""
    names = ["a", "b"][: len(op.partials)]
    parts = [f"y = {_written(applied(op, names), _latex_piece)}"]
    for i, name in enumerate(names):
        slope = local_derivative(op, i, names, "y").latex
        parts.append(f"{latex_fraction('y', name)} = {slope}")
    return r" \qquad ".join(parts)


def jump(op: Op, position: int, operands: Sequence[float]) -> tuple[float, float] | None:
    """The derivatives a hair below and above an operand, where they differ by a jump: a kink."""
    sides = []
    for towards in (-math.inf, math.inf):
        moved = list(operands)
        moved[position] = math.nextafter(moved[position], towards)
        try:
            sides.append(evaluate(op.partials[position], (*moved, evaluate(op.forward, moved))))
        except not_by_a_handler(ArithmeticError, ValueError):
            return None  # somebody's own row has no number there
    below, above = sides
    jumps = math.isfinite(below - above) and abs(below - above) > 0.1
    return (below, above) if jumps else None


# Simplifying: for the eye only, since x + 0, say, is not x for every float.


def _simplified(
    root: Symbol, known: Symbol | None = None, name: str = "", tails: bool = False
) -> Symbol:
    """`root` in fewer words: `textbook` forms of the rows that have one, `known` by its name.

    With `tails`, rows give the form that keeps its digits instead.
    """
    results: dict[Symbol, Symbol] = {}
    for symbol in _operands_first(root):
        head, operands = symbol.head, tuple([results[x] for x in symbol.operands])
        if not isinstance(head, Op):
            results[symbol] = symbol
        elif known and head == known.head and _heads(operands) == _heads(known.operands):
            results[symbol] = Symbol(name)
        elif tails and head.tails:
            results[symbol] = _simplified(head.tails(*operands))
        elif head.textbook:
            results[symbol] = _simplified(head.textbook(*operands), known, name, tails)
        else:
            results[symbol] = _shorter(head, *operands)
    return results[root]


def _heads(operands: tuple[Symbol, ...]) -> list[Any]:
    return [operand.head for operand in operands]


def _shorter(op: Op, x: Symbol, y: Symbol | None = None) -> Symbol:
    """`op` of simplified operands: signs and numbers in front, neutral elements left out."""
    if y is None:
        return _negative(x) if op.name == "neg" else Symbol(op, (x,))
    if op.name in ("mul", "gate") and isinstance(y.head, float):
        x, y = y, x
    if op.name in ("add", "sub") and _is_negative(y):
        op, y = OPS["sub" if op.name == "add" else "add"], _negative(y)
    if op.name in ("mul", "gate", "div"):
        if _is_negative(x):
            return _negative(_shorter(op, _negative(x), y))
        if _is_negative(y):
            return _negative(_shorter(op, x, _negative(y)))
    return _without_neutral(op, x, y)


def _without_neutral(op: Op, x: Symbol, y: Symbol) -> Symbol:
    match op.name, x.head, y.head:
        case (("add" | "sub" | "mul" | "gate"), float(a), float(b)):
            # Fifteen digits, so that 1.1 - 1 is 0.1 and not 0.10000000000000009.
            return Symbol(float(f"{evaluate(op.forward, (a, b)):.15g}"))
        case ("add", 0.0, _) | (("mul" | "gate"), 1.0, _):
            return y
        case (("add" | "sub"), _, 0.0) | (("div" | "pow"), _, 1.0):
            return x
        case "sub", 0.0, _:
            return _negative(y)
        case (("mul" | "gate"), 0.0, _):
            return Symbol(0.0)
        case ("pow", _, 0.0) | ("pow", 1.0, _):
            return Symbol(1.0)
    return Symbol(op, (x, y))


def _is_negative(x: Symbol) -> bool:
    return x.head < 0.0 if isinstance(x.head, float) else x.head == OPS["neg"]


def _negative(x: Symbol) -> Symbol:
    if isinstance(x.head, float):
        return Symbol(-x.head)
    return x.operands[0] if x.head == OPS["neg"] else Symbol(OPS["neg"], (x,))


# Writing: every piece of text comes with how tightly it holds together.

_NAME, _SUM, _SIGNED, _PRODUCT, _POWER, _ATOM = range(6)  # a name that reads like a formula
_SUPERSCRIPTS: Final = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_BRACKETS: Final = {"()", "[]", "||", "⌊⌋", "⌈⌉", "⟨⟩", "‖‖"}


Piece = tuple[str, int]


def _text(root: Symbol) -> str:
    """The expression with no more parentheses than it needs; "…" for what is too long to read."""
    return _written(root, _piece)


def _written(root: Symbol, piece: Callable[[Symbol, list[Piece]], Piece]) -> str:
    pieces: dict[Symbol, Piece] = {}
    for symbol in _operands_first(root):
        text, level = piece(symbol, [pieces[x] for x in symbol.operands])
        pieces[symbol] = (text, level) if len(text) <= _LONGEST else ("…", _ATOM)
    return pieces[root][0]


def _piece(symbol: Symbol, parts: list[tuple[str, int]]) -> tuple[str, int]:
    head = symbol.head
    if isinstance(head, str):
        return head, _ATOM if held(head) == head else _NAME
    if isinstance(head, float):
        text = repr(head).removesuffix(".0").replace("-", "−")
        return text, _SIGNED if text[0] == "−" else _ATOM
    match head.name:
        case "neg":
            return "−" + _held(parts[0], _PRODUCT), _SIGNED
        case "add":
            right = parts[1][0] if parts[1][1] == _SUM else _held(parts[1], _PRODUCT)
            return f"{_held(parts[0], _SUM)} + {right}", _SUM
        case "sub":
            return f"{_held(parts[0], _SUM)} − {_held(parts[1], _PRODUCT)}", _SUM
        case "mul" | "gate" | "div":
            again = head.name != "div" and symbol.operands[1].head in (OPS["mul"], OPS["gate"])
            right = _held(parts[1], _PRODUCT if again else _POWER)
            left, sign = _held(parts[0], _SIGNED), "/" if head.name == "div" else "·"
            return left + sign + right, _SIGNED if parts[0][1] == _SIGNED else _PRODUCT
        case "pow":
            base, exponent = _held(parts[0], _ATOM), symbol.operands[1].head
            if isinstance(exponent, float) and exponent.is_integer() and abs(exponent) < 100:
                return base + parts[1][0].translate(_SUPERSCRIPTS), _POWER
            return f"{base}^{_held(parts[1], _ATOM)}", _POWER
    if not head.notation:
        alone = _NAME if len(parts) == 1 else _SUM
        return f"{head.symbol}({', '.join([_held(part, alone) for part in parts])})", _ATOM
    enclosed = head.notation[0] + head.notation[-1] in _BRACKETS
    texts = [_held(part, _SUM if enclosed else _ATOM) for part in parts]
    level = _ATOM if enclosed else _POWER if len(texts) == 1 else _SUM
    return head.notation.format(*texts), level


_COMMANDS: Final = ("exp", "ln", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min")
_LATEX: Final = {name: f"\\{name}" for name in _COMMANDS} | {
    "asin": r"\arcsin",
    "acos": r"\arccos",
    "atan": r"\arctan",
    "σ": r"\sigma",
    "σ′": r"\sigma'",
}
"""The symbols of functions that LaTeX has a command for."""
_LATEX_SIGNS: Final = str.maketrans(
    {
        "−": "-",
        "½": r"\tfrac12",
        "·": r"\cdot ",
        "√": r"\sqrt ",
        "π": r"\pi ",
        "²": "^2",
        "≥": r"\ge ",
        "⌊": r"\lfloor ",
    }
)


def latex_name(name: str) -> str:
    r"""A name in a formula of LaTeX: v_{1} for v1, upright where it has several letters.

    >>> latex_name("v1"), latex_name("learning_rate")
    ('v_{1}', '\\mathrm{learning\\_rate}')
    """
    stem = name.rstrip("0123456789")
    escaped = _escaped(stem)
    index = f"_{{{name[len(stem) :]}}}" if stem != name else ""
    return (escaped if len(stem) == 1 else f"\\mathrm{{{escaped}}}") + index


def latex_fraction(out: str, by: str) -> str:
    r"""The name of a derivative: \frac{\partial out}{\partial by}."""
    return rf"\frac{{\partial {latex_name(out)}}}{{\partial {latex_name(by)}}}"


def _escaped(text: str) -> str:
    own = {"\\": r"\backslash{}", "^": r"\hat{}", "~": r"\sim{}"}
    return "".join([own.get(c, f"\\{c}" if c in "_%&#${}" else c) for c in text])


def _latex_piece(symbol: Symbol, parts: list[Piece]) -> Piece:
    head = symbol.head
    if isinstance(head, str):
        return latex_name(head), _ATOM if held(head) == head else _NAME
    if isinstance(head, float) or head.name in ("neg", "add", "sub", "mul", "gate"):
        text, level = _piece(symbol, parts)
        mantissa, power, exponent = text.translate(_LATEX_SIGNS).partition("e")
        if not power or not isinstance(head, float):
            return text.translate(_LATEX_SIGNS), level
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}", _PRODUCT
    if head.name == "div":
        return rf"\frac{{{parts[0][0]}}}{{{parts[1][0]}}}", _PRODUCT
    if head.name == "pow":
        return f"{_held(parts[0], _ATOM)}^{{{parts[1][0]}}}", _POWER
    if head.symbol == "√":
        return rf"\sqrt{{{parts[0][0]}}}", _ATOM
    if head.notation:
        text, level = _piece(symbol, parts)
        words = re.sub(
            r"\b(if|else|and|or)( \w+)*", r"\\text{ \g<0>}", text.translate(_LATEX_SIGNS)
        )
        return words, level
    name = _LATEX.get(head.symbol) or rf"\operatorname{{{_escaped(head.symbol)}}}"
    return f"{name}({', '.join([text for text, _ in parts])})", _ATOM


def _held(part: tuple[str, int], level: int) -> str:
    text, own = part
    return text if own >= level else f"({text})"
