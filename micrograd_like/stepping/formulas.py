"""Formulas: an expression read on symbols, and written down as a teacher would write it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

from micrograd_like._internal.text import number
from micrograd_like.operation import Op, evaluate, real
from micrograd_like.operators import OPS, Operators

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

    __slots__ = ("_text", "head", "operands")

    def __init__(self, head: str | float | Op, operands: tuple[Symbol, ...] = ()) -> None:
        self.head: Final = head if isinstance(head, (str, Op)) else real(head)
        self.operands: Final = operands
        self._text = ""

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Symbol:
        return Symbol(op, tuple([x if isinstance(x, Symbol) else Symbol(x) for x in operands]))

    def __str__(self) -> str:
        return self._text or _text(_simplified(self))

    def __repr__(self) -> str:
        return f"<Symbol {self}>"

    def evaluate(self, numbers: Mapping[str, float]) -> float:
        """The number that the expression has when every name stands for the number given for it.

        A name without a number raises ValueError.
        """
        results: dict[Symbol, float] = {}
        for symbol in _operands_first(self):
            head = symbol.head
            if isinstance(head, Op):
                results[symbol] = evaluate(head.forward, *[results[x] for x in symbol.operands])
            elif isinstance(head, float):
                results[symbol] = head
            elif head in numbers:
                results[symbol] = real(numbers[head])
            else:
                raise ValueError(f"no number for {head!r} in {self}: got {sorted(numbers)}")
        return results[self]


def local_derivative(
    op: Op,
    index: int,
    operands: Sequence[str | float],
    out: str,
    numbers: Mapping[str, float] | None = None,
) -> Symbol:
    """The derivative of `out = op(operands)` by operand `index`, with the result called by name.

    Operands are names, or numbers where the node has a plain number. Where `numbers` for the names
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
    symbols = tuple([Symbol(x) for x in operands])
    partial = op.partials[index](*symbols, Symbol(out))
    derivative = (
        Symbol(partial.head, partial.operands) if isinstance(partial, Symbol) else (Symbol(partial))
    )
    made = Symbol(op, symbols)
    short = _simplified(derivative, made, out)
    if numbers and not _computes(short, derivative, numbers):
        short = _simplified(derivative, made, out, tails=True)
    derivative._text = _text(short)
    return derivative


_MOST_OFF = 0.02  # what a formula of numbers with four digits may be off by


def _computes(short: Symbol, derivative: Symbol, numbers: Mapping[str, float]) -> bool:
    """Whether the formula, of the numbers that are shown, gives the derivative."""
    shown = {name: float(number(x).replace("−", "-")) for name, x in numbers.items()}
    try:
        given, right = short.evaluate(shown), derivative.evaluate(numbers)
    except ValueError:  # a number that is not known any more
        return True
    return not math.isfinite(right) or abs(given - right) <= _MOST_OFF * abs(right)


def forward_formula(op: Op, operands: Sequence[str | float], out: str) -> str:
    """What a node computes, as it was written: nothing is simplified.

    >>> from micrograd_like import ops
    >>> forward_formula(ops.mul, [1.0, "a"], "c")
    'c = 1·a'
    """
    return f"{out} = {_text((op.textbook or op)(*[Symbol(x) for x in operands]))}"


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
            return Symbol(float(f"{evaluate(op.forward, a, b):.15g}"))
        case ("add", 0.0, _) | (("mul" | "gate"), 1.0, _):
            return y
        case (("add" | "sub"), _, 0.0) | (("div" | "pow"), _, 1.0):
            return x
        case "sub", 0.0, _:
            return _negative(y)
        case (("mul" | "gate"), 0.0, _):
            return Symbol(0.0)
        case "pow", _, 0.0:
            return Symbol(1.0)
    return Symbol(op, (x, y))


def _is_negative(x: Symbol) -> bool:
    return x.head < 0.0 if isinstance(x.head, float) else x.head == OPS["neg"]


def _negative(x: Symbol) -> Symbol:
    if isinstance(x.head, float):
        return Symbol(-x.head)
    return x.operands[0] if x.head == OPS["neg"] else Symbol(OPS["neg"], (x,))


# Writing: every piece of text comes with how tightly it holds together.

_SUM, _SIGNED, _PRODUCT, _POWER, _ATOM = range(5)
_SUPERSCRIPTS: Final = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_BRACKETS: Final = {"()", "[]", "||", "⌊⌋", "⌈⌉", "⟨⟩", "‖‖"}


def _text(root: Symbol) -> str:
    """The expression with no more parentheses than it needs; "…" for what is too long to read."""
    pieces: dict[Symbol, tuple[str, int]] = {}
    for symbol in _operands_first(root):
        text, level = _piece(symbol, [pieces[x] for x in symbol.operands])
        pieces[symbol] = (text, level) if len(text) <= _LONGEST else ("…", _ATOM)
    return pieces[root][0]


def _piece(symbol: Symbol, parts: list[tuple[str, int]]) -> tuple[str, int]:
    head = symbol.head
    if isinstance(head, str):
        return head, _ATOM
    if isinstance(head, float):
        text = repr(head).removesuffix(".0").replace("-", "−")
        return text, _SIGNED if text[0] == "−" else _ATOM
    match head.name:
        case "neg":
            return "−" + _held(parts[0], _PRODUCT), _SIGNED
        case "add":
            right = parts[1][0] if parts[1][1] == _SUM else _held(parts[1], _PRODUCT)
            return f"{parts[0][0]} + {right}", _SUM
        case "sub":
            return f"{parts[0][0]} − {_held(parts[1], _PRODUCT)}", _SUM
        case "mul" | "gate" | "div":
            again = head.name != "div" and _is_product(symbol.operands[1])
            right = _held(parts[1], _PRODUCT if again else _POWER)
            left, sign = _held(parts[0], _SIGNED), "/" if head.name == "div" else "·"
            return left + sign + right, _SIGNED if parts[0][1] == _SIGNED else _PRODUCT
        case "pow":
            base, exponent = _held(parts[0], _ATOM), symbol.operands[1].head
            if isinstance(exponent, float) and exponent.is_integer() and abs(exponent) < 100:
                return base + parts[1][0].translate(_SUPERSCRIPTS), _POWER
            return f"{base}^{_held(parts[1], _ATOM)}", _POWER
    if not head.notation:
        return f"{head.symbol}({', '.join([text for text, _ in parts])})", _ATOM
    enclosed = head.notation[0] + head.notation[-1] in _BRACKETS
    texts = [_held(part, _SUM if enclosed else _ATOM) for part in parts]
    level = _ATOM if enclosed else _POWER if len(texts) == 1 else _SUM
    return head.notation.format(*texts), level


def _held(part: tuple[str, int], level: int) -> str:
    text, own = part
    return text if own >= level else f"({text})"


def _is_product(x: Symbol) -> bool:
    return isinstance(x.head, Op) and x.head.name in ("mul", "gate")
