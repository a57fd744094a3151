from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from micrograd_like import Stepper, Value, explain, ops
from micrograd_like.operation import OPS, Op, evaluate
from micrograd_like.stepping.formulas import Symbol, forward_formula, local_derivative
from tests.support import oracle

a, b, c = Symbol("a"), Symbol("b"), Symbol("c")

# The formulas that a teacher writes for ∂L/∂a and ∂L/∂b of L = op(a, b).
DERIVATIVES = {
    "add": ["1", "1"],
    "sub": ["1", "−1"],
    "mul": ["b", "a"],
    "div": ["1/b", "−L/b"],
    "neg": ["−1"],
    "pow": ["b·a^(b − 1)", "L·ln(a)"],
    "exp": ["L"],
    "log": ["1/a"],
    "log1p": ["1/(1 + a)"],
    "sqrt": ["0.5/L"],
    "sin": ["cos(a)"],
    "cos": ["−sin(a)"],
    "tan": ["1 + L·L"],
    "asin": ["1/√((1 − a)·(1 + a))"],
    "acos": ["−1/√((1 − a)·(1 + a))"],
    "atan": ["1/(1 + a²)"],
    "atan2": ["b/(b² + a²)", "−a/(a² + b²)"],
    "hypot": ["a/L·[L > 0]", "b/L·[L > 0]"],
    "expm1": ["exp(a)"],
    "sinh": ["cosh(a)"],
    "cosh": ["sinh(a)"],
    "erf": ["2/√π·exp(−a²)"],
    "tanh": ["1 − L²"],
    "sigmoid": ["L·(1 − L)"],
    "softplus": ["σ(a)"],
    "logaddexp": ["σ(a − b)", "σ(b − a)"],
    "relu": ["[a > 0]"],
    "abs": ["sign(a)"],
    "maximum": ["[a > b, ½ if equal]", "[b > a, ½ if equal]"],
    "minimum": ["[a < b, ½ if equal]", "[b < a, ½ if equal]"],
    "detach": ["0"],
    "bce": ["(a − b)/max(a·(1 − a), 1e−12)", "max(log1p(−a), −100) − max(ln(a), −100)"],
    "bce_with_logits": ["(1 − b)·σ(a) − b·σ(−a)", "−a"],
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_read_as_in_a_textbook(name: str) -> None:
    op, names = OPS[name], ["a", "b"][: len(OPS[name].partials)]
    found = [str(local_derivative(op, i, names, "L")) for i in range(len(names))]
    assert found == DERIVATIVES[name]


@pytest.mark.parametrize(
    ("op", "index", "operands", "text"),
    [
        (ops.power, 0, ["a", 0.0], "0"),
        (ops.power, 0, ["a", 1.0], "1"),
        (ops.power, 0, ["a", 2.0], "2·a"),
        (ops.power, 0, ["a", 3.0], "3·a²"),
        (ops.power, 0, ["a", -1.0], "−a⁻²"),
        (ops.power, 0, ["a", 0.5], "0.5·a^(−0.5)"),
        (ops.power, 0, ["a", 1.1], "1.1·a^0.1"),  # and not a^0.10000000000000009
        (ops.power, 0, ["a", 100.0], "100·a⁹⁹"),
        (ops.power, 0, ["a", 101.0], "101·a^100"),
        (ops.power, 1, [2.0, "b"], "L·ln(2)"),
        (ops.div, 0, ["a", -2.0], "−1/2"),
        (ops.div, 1, [-2.0, "b"], "−L/b"),
        (ops.mul, 0, ["a", -2.5], "−2.5"),
        (ops.mul, 0, ["a", "a"], "a"),
        (ops.maximum, 0, ["a", 0.0], "[a > 0, ½ if equal]"),
        (ops.tanh_prime, 0, ["a"], "−2·tanh(a)·L"),
    ],
)
def test_plain_numbers_and_repeated_operands(
    op: Op, index: int, operands: list[str | float], text: str
) -> None:
    assert str(local_derivative(op, index, operands, "L")) == text


@pytest.mark.parametrize(
    ("op", "operands", "text"),
    [
        (ops.tanh, ["e"], "L = tanh(e)"),
        (ops.add, ["a", 0.0], "L = a + 0"),
        (ops.mul, [1.0, "a"], "L = 1·a"),
        (ops.mul, [-2.0, "a"], "L = −2·a"),
        (ops.add, ["a", -2.0], "L = a + (−2)"),
        (ops.sub, ["a", -2.0], "L = a − (−2)"),
        (ops.power, ["a", 2.0], "L = a²"),
        (ops.power, [-2.0, "b"], "L = (−2)^b"),
        (ops.absolute, ["a"], "L = |a|"),
        (ops.neg, ["a"], "L = −a"),
        (ops.step, ["a"], "L = [a > 0]"),
        (ops.sigmoid, ["a"], "L = σ(a)"),
        (ops.maximum, ["a", 1e-12], "L = max(a, 1e−12)"),
        (ops.tanh_prime, ["a"], "L = 1 − tanh(a)²"),
        (ops.mul, ["a\n<b>", "β{0}"], "L = (a\n<b>)·β{0}"),
    ],
)
def test_forward_formulas_are_not_simplified(
    op: Op, operands: list[str | float], text: str
) -> None:
    assert forward_formula(op, operands, "L") == text


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (a + b * c, "a + b·c"),
        ((a + b) * c, "(a + b)·c"),
        (a - (b - c), "a − (b − c)"),
        (a - (b + c), "a − (b + c)"),
        (a + (b - c), "a + b − c"),
        (a / (b / c), "a/(b/c)"),
        (a / (b * c), "a/(b·c)"),
        (a * (b / c), "a·(b/c)"),
        (a * (b * c), "a·b·c"),
        (a * b / c, "a·b/c"),
        (-(a + b), "−(a + b)"),
        (-(a * b), "−a·b"),
        ((-a) ** 2, "(−a)²"),
        (-(a**2), "−a²"),
        (a**b**c, "a^(b^c)"),
        ((a**b) ** c, "(a^b)^c"),
        (a**-b, "a^(−b)"),
        ((a * b) ** 2, "(a·b)²"),
        (a.exp() ** 2, "exp(a)²"),
        (abs(a + b) * c, "|a + b|·c"),
        (ops.step(a + b), "[a + b > 0]"),
        (a * 1 + 0, "a"),
        (1 * a - 0, "a"),
        (0 + a / 1, "a"),
        (a**1, "a"),
        (ops.neg(-a), "a"),
        (0 - a, "−a"),
        (a + -b, "a − b"),
        (a - -b, "a + b"),
        (-a * -b, "a·b"),
        (a * -b, "−a·b"),
        (a - b * -2, "a + 2·b"),
        (a + (a + b) * c, "a + (a + b)·c"),
        ((a - b) * (a + b), "(a − b)·(a + b)"),
        (a * 2, "2·a"),
        (Symbol(2.0) * 3 + a, "6 + a"),
        (Symbol(0.12345678) * 2 + a, "0.24691356 + a"),
        (0 * a + b, "b"),
        (a * float("inf"), "inf·a"),
    ],
)
def test_writing(expression: Symbol, text: str) -> None:
    assert str(expression) == text
    assert repr(expression) == f"<Symbol {text}>"


@pytest.mark.parametrize(
    ("notation", "text"),
    [("{}³", "(a + b)³·c"), ("√{}", "√(a + b)·c"), ("⌊{}⌋", "⌊a + b⌋·c"), ("", "row(a + b)·c")],
)
def test_notation_of_a_row_of_ones_own(notation: str, text: str) -> None:
    op = Op("row", "row", lambda x: x, (lambda x, out: 1.0,), notation=notation)
    assert str(Symbol(op, (a + b,)) * c) == text


def test_notation_of_two_operands() -> None:
    op = Op("row", "row", lambda x, y: x, (lambda x, y, out: 1.0,) * 2, notation="{} ⊕ {}")
    assert str(Symbol(op, (a + b, c)) * c) == "((a + b) ⊕ c)·c"


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_the_symbol_reading_evaluates_to_the_number_reading(op: Op) -> None:
    names = ["a", "b"][: len(op.partials)]
    symbols = [local_derivative(op, i, names, "L") for i in range(len(names))]
    for xs in oracle.points(op, 100, random.Random(op.name)):
        out = evaluate(op.forward, xs)
        numbers = dict(zip(names, xs, strict=True)) | {"L": out}
        read = [symbol.evaluate(numbers) for symbol in symbols]
        assert repr(read) == repr([evaluate(partial, (*xs, out)) for partial in op.partials])


def test_evaluate_follows_ieee_rules_and_takes_any_real_number() -> None:
    assert repr((1 / a).evaluate({"a": 0})) == "inf"
    assert repr((a**0.5).evaluate({"a": True})) == "1.0"
    with pytest.raises(ValueError, match=r"no number for 'b' in a·b: got \['a'\]"):
        (a * b).evaluate({"a": 1.0})
    with pytest.raises(TypeError, match="expected a real number, got str: '1'"):
        a.evaluate({"a": "1"})  # type: ignore[dict-item]


def test_what_a_symbol_cannot_be_combined_with() -> None:
    for other in ("x", None, 1j, [1.0]):
        with pytest.raises(TypeError):
            a + other


def repeated(step: Callable[[Any], Any], times: int) -> Symbol:
    expression = a
    for _ in range(times):
        expression = step(expression)
    return expression


def test_shared_parts_are_read_once() -> None:
    expression = repeated(lambda x: x * x, 200)  # 2^200 letters, were it written out
    assert expression.evaluate({"a": 1.0}) == 1.0
    assert "…" in str(expression)


def test_a_text_that_is_too_long_to_read_is_cut() -> None:
    text = str(repeated(lambda x: x + b, 1_030))
    assert len(text) <= 500
    assert text.startswith("… + b + b")


def test_deep_expressions_need_no_recursion() -> None:
    expression = repeated(lambda x: -x.sin(), 20_000)
    assert "…" in str(expression)
    assert expression.evaluate({"a": 0.0}) == 0.0


# Rows as a reader wants them, and LaTeX.


@pytest.mark.parametrize("name", list(OPS))
def test_every_row_prints_what_it_computes_and_its_derivatives(name: str) -> None:
    op = OPS[name]
    text = repr(op)
    assert text.startswith("out = ")
    assert text.count("∂out/∂a = ") == 1
    assert text.count("∂out/∂b = ") == len(op.partials) - 1
    assert "is no formula" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert op.source.split()[0] in text
    latex = op.latex
    assert latex in op._repr_latex_()
    assert latex.count(r"\frac{\partial y}{\partial ") == len(op.partials)
    assert latex.count("{") == latex.count("}")
    assert not set(latex) & set("−·½²³⁻√σ")


@pytest.mark.parametrize(
    ("name", "kinked"), [("relu", True), ("abs", True), ("maximum", True), ("tanh", False)]
)
def test_a_row_says_where_its_kink_is(name: str, kinked: bool) -> None:
    assert ("kink at a = " in str(OPS[name])) is kinked


def test_a_row_of_ones_own_prints_also_where_its_partial_asks_for_floats() -> None:
    bump = Op("bump", "bump", lambda a: math.exp(-a * a), (lambda a, out: -2 * a * out,))
    assert repr(bump).splitlines()[:2] == ["out = bump(a)", "  ∂out/∂a = −2·a·out"]
    floats = Op("floats", "floats", math.erf, (lambda a, out: math.exp(-a * a),))
    assert "∂out/∂a is no formula" in repr(floats)


@pytest.mark.parametrize(
    ("formula", "latex"),
    [
        (lambda a, b: a / b, r"\frac{a}{b_{2}}"),
        (lambda a, b: (a + 1) / (1 + (-b).exp()) ** 2, r"\frac{a + 1}{(1 + \exp(-b_{2}))^{2}}"),
        (lambda a, b: a * b * 1e-9, r"1 \cdot 10^{-9}\cdot a\cdot b_{2}"),
        (lambda a, b: -a.sqrt() + abs(b), r"-\sqrt{a} + |b_{2}|"),
        (lambda a, b: a.softplus() ** b, r"\operatorname{softplus}(a)^{b_{2}}"),
        (lambda a, b: 1 - a.sigmoid(), r"1 - \sigma(a)"),
    ],
)
def test_formulas_are_written_for_latex(formula: Any, latex: str) -> None:
    symbol = formula(Symbol("a"), Symbol("b2"))
    assert symbol.latex == latex
    assert symbol._repr_latex_() == f"$\\displaystyle {latex}$"


def test_steps_and_explanations_have_their_latex() -> None:
    a, w_1 = Value(0.5, "a"), Value(2.0, "weight_1")
    L = a * w_1
    step = Stepper(L).next()
    assert step is not None
    assert step.latex == (
        r"\frac{\partial L}{\partial a} = \mathrm{weight\_}_{1} \qquad "
        r"\frac{\partial L}{\partial \mathrm{weight\_}_{1}} = a"
    )
    assert explain(a, L).latex == (
        r"\frac{\partial L}{\partial a} = "
        r"\frac{\partial L}{\partial a} \frac{\partial L}{\partial L}"
    )
