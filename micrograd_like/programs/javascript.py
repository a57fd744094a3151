"""A tape as JavaScript source, for a browser or for node: the backend "javascript".

The lines are those of the generated Python, in another spelling. Functions come from the table:
`Script` reads a row's forward function or a partial and writes what it does; only the elementary
functions stand in a file of their own, javascript.js, which every script begins with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from typing import Any, NoReturn

from micrograd_like._internal.cuts import Tracer
from micrograd_like._internal.interrupts import not_by_a_handler
from micrograd_like.operation import OPS, Op, real
from micrograd_like.programs.branchless import STANDARD, formula
from micrograd_like.programs.spelling import Language, inline, literal_of
from micrograd_like.programs.statements import Statements, added
from micrograd_like.programs.tape import Tape

_ELEMENTARY = {
    *("exp", "log", "log1p", "sqrt", "sin", "cos", "tanh", "pow"),
    *("tan", "asin", "acos", "atan", "atan2", "hypot", "expm1", "sinh", "cosh", "erf"),
    *("sigmoid", "softplus", "logaddexp"),
}


def literal(x: float) -> str:
    """A number as JavaScript writes it; in parentheses where it has a sign.

    >>> literal(0.1), literal(-2.0), literal(float("inf"))
    ('0.1', '(-2.0)', 'Infinity')
    """
    return literal_of(x, "NaN", "Infinity")


JAVASCRIPT = Language("{0} ? {1} : {2}", "{} === {}", "Math.abs({})", literal)


class Term(Tracer):
    """A symbol for an operand while an expression is read: every result gets a name."""

    __slots__ = ("script", "text")

    def __init__(self, script: Script, text: str) -> None:
        self.script = script
        self.text = text

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Term:
        texts = [_text(x, self.script.language) for x in operands]
        return self._name(self.script.expression(op, texts))

    def _name(self, expression: str) -> Term:
        return Term(self.script, self.script.name(expression))

    def __lt__(self, other: Any) -> Term:
        return self._name(f"{self.text} < {_text(other, self.script.language)}")

    def __gt__(self, other: Any) -> Term:
        return self._name(f"{self.text} > {_text(other, self.script.language)}")

    def __and__(self, other: Term) -> Term:
        return self._name(f"{self.text} && {other.text}")

    def __or__(self, other: Term) -> Term:
        return self._name(f"{self.text} || {other.text}")


class _Maths:
    """The operations that a row without a branch computes with, for Terms."""

    @staticmethod
    def where(test: Term, a: Any, b: Any) -> Term:
        language = test.script.language
        return test._name(f"{test.text} ? {_text(a, language)} : {_text(b, language)}")

    @staticmethod
    def equal(a: Term, b: Any) -> Term:
        language = a.script.language
        return a._name(language.equality.format(a.text, _text(b, language)))

    @staticmethod
    def copysign(a: Term, b: Term) -> Term:
        return a._name(f"copysign({a.text}, {b.text})")

    exp, log, pow = (OPS[name] for name in ("exp", "log", "pow"))


class NotWritten(ValueError):
    """An operation has no form in JavaScript: it is Python that takes only floats."""


class Script:
    """The functions that a piece of JavaScript calls, each written once.

    A subclass writes them in another language.

    >>> script = Script()
    >>> script.expression(OPS["tanh"], ["v1"])
    'tanh(v1)'
    >>> script.function(OPS["log"].partials[0], 2)
    '(a, out) => a < 0.0 ? NaN : 1.0 / a'
    """

    language = JAVASCRIPT
    elementary = _ELEMENTARY

    def __init__(self) -> None:
        self._functions: dict[str, str] = {}
        self._statements: dict[str, str] = {}  # of the function that is being read

    @classmethod
    def knows(cls, name: str) -> bool:
        """True if the operation `name` has a form of its own in this language."""
        written = name in OPS and inline(OPS[name], cls.language)
        return bool(written) or name in cls.elementary or formula(name, _Maths) is not None

    @property
    def functions(self) -> list[str]:
        """A definition for each that is no elementary one, after those that it calls."""
        return list(self._functions.values())

    def expression(self, op: Op, operands: Sequence[str]) -> str:
        """`op` of operands given as text; what it calls is among `functions` from here on.

        A row that is Python for floats alone raises `NotWritten`.
        """
        if form := inline(op, self.language):
            return form.format(*operands)
        name = self._called(op)
        return f"{name}({', '.join(operands)})"

    def function(self, expression: Callable[..., Any], arguments: int) -> str:
        """`expression`, a partial or a forward function, as JavaScript's text of a function.

        The last of two or more `arguments` is called out, as a partial has it. Python for
        floats alone raises `NotWritten`.
        """
        names = ["a", "b"][: max(1, arguments - 1)] + ["out"][: arguments - 1]
        return self._function(expression, names)

    def forward(self, op: Op) -> str:
        """The forward function of `op` as JavaScript's text of a function."""
        names = ["a", "b"][: len(op.partials)]
        return self._function(lambda *operands: op(*operands), names)

    def loop(self, op: Op) -> str:
        """`op` for many rows at once, as JavaScript's text of a function.

        It takes an array, where in it the results begin, for each of two operands where it begins
        and how far it is to the next row's (0 where one number serves all rows), and how many rows
        there are.

        >>> Script().loop(OPS["mul"])
        '(m, o, a, da, b, db, n) => { for (; n--; o++, a += da, b += db) m[o] = m[a] * m[b]; }'
        """
        operands = ["m[a]", "m[b]"][: len(op.partials)]
        steps = ["o++", "a += da", "b += db"][: 1 + len(operands)]
        each = f"m[o] = {self.expression(op, operands)};"
        return f"(m, o, a, da, b, db, n) => {{ for (; n--; {', '.join(steps)}) {each} }}"

    def update(self, rule: Callable[[Term, Term], Callable[..., Any]], buffers: int) -> str:
        """An optimiser's rule as JavaScript's text of a function that changes arrays in place.

        `rule` takes a learning rate and the number of a step, and returns what takes a parameter,
        its gradient and its entries in so many buffers and returns the new parameter and entries.
        The text's function takes rate, step, parameters, gradient, buffers and how many to change.

        >>> print(Script().update(lambda lr, step: lambda p, g: (p - lr * g,), 0))
        (lr, step, p, g, s, n) => {
        for (let i = 0; i < n; i++) {
        const t0 = lr * g[i];
        const t1 = p[i] - t0;
        p[i] = t1;
        }
        }
        """
        outer, self._statements = self._statements, {}
        places = ["p[i]", *[f"s[{k}][i]" for k in range(buffers)]]
        try:
            change = rule(Term(self, "lr"), Term(self, "step"))
            count = len(self._statements)  # which are the same for all parameters
            terms = [Term(self, text) for text in (places[0], "g[i]", *places[1:])]
            results = [_text(x, self.language) for x in change(*terms)]
            lines = [f"const {name} = {text};" for text, name in self._statements.items()]
        finally:
            self._statements = outer
        lines[count:count] = ["for (let i = 0; i < n; i++) {"]
        lines += [f"{a} = {b};" for a, b in zip(places, results, strict=True) if a != b]
        return "\n".join(["(lr, step, p, g, s, n) => {", *lines, "}", "}"])

    def name(self, expression: str) -> str:
        """A name for the result of `expression` within the function that is being read."""
        return self._statements.setdefault(expression, f"t{len(self._statements)}")

    def _called(self, op: Op) -> str:
        if op.name in self.elementary:
            return op.name
        # A row of one's own could be called like something that JavaScript knows.
        name = op.name if op.name in STANDARD else f"op_{op.name}"
        if name not in self._functions:
            names = ["a", "b"][: len(op.partials)]
            read = self.read(formula(op.name, _Maths) or op.forward, names, op.name)
            self._functions[name] = self.definition(name, names, *read)
        return name

    def _function(self, expression: Callable[..., Any], names: Sequence[str]) -> str:
        return _arrow(names, *self.read(expression, names))

    def read(
        self, expression: Callable[..., Any], names: Sequence[str], what: str = "it"
    ) -> tuple[list[tuple[str, str]], str]:
        """The statements, a name and an expression each, and the result of a function."""
        outer, self._statements = self._statements, {}
        try:
            result = _text(expression(*[Term(self, name) for name in names]), self.language)
            statements = [(name, text) for text, name in self._statements.items()]
        except NotWritten:
            raise
        except not_by_a_handler(Exception) as error:  # ordinary Python, for floats alone
            raise NotWritten(f"{what} is Python that takes only floats") from error
        finally:
            self._statements = outer
        if statements and statements[-1][0] == result:
            result = statements.pop()[1]
        return statements, result

    def definition(
        self, name: str, names: Sequence[str], statements: list[tuple[str, str]], result: str
    ) -> str:
        """The text that defines a function."""
        return f"const {name} = {_arrow(names, statements, result)};"


knows = Script.knows


def _arrow(names: Sequence[str], statements: list[tuple[str, str]], result: str) -> str:
    head = f"({', '.join(names)}) =>"
    if not statements:
        return f"{head} {result}"
    body = " ".join([f"const {name} = {text};" for name, text in statements])
    return f"{head} {{ {body} return {result}; }}"


def _text(x: Any, language: Language) -> str:
    return x.text if isinstance(x, Term) else language.number(real(x))


@cache
def elementary() -> str:
    """The elementary functions, with which every script begins."""
    return (resources.files(__package__) / "javascript.js").read_text("utf-8")


class SourceRunner:
    """A tape as text of another language: its source is what it is for, Python can't call it."""

    backend: str
    runs: str  # and by whom

    def __init__(self, tape: Tape) -> None:
        self._tape = tape.careful()  # there is no second try elsewhere: zeros are told at once

    def table(self, rows: Any, inputs: Sequence[str]) -> NoReturn:
        """Nothing: a program of this backend is not called here."""
        raise RuntimeError(
            f"a program of the backend {self.backend!r} {self.runs}, from its source; to call it "
            "in Python, compile with backend='python' or 'auto'"
        )


class JavascriptRunner(SourceRunner):
    """A tape as JavaScript."""

    backend = "javascript"
    runs = "runs in a browser or under node"

    @property
    def source(self) -> str:
        """A script that defines `values` and, for one output, `value_and_grad`.

        Both take an array of parameters and an array of rows. The first returns the outputs of
        each row, the second [mean, means of the derivatives, the other outputs of each row].
        """
        script = Script()
        names = ["values", "value_and_grad"] if self._tape.gradients else ["values"]
        functions = [_source(self._tape, name, script) for name in names]
        called = "\n".join(script.functions)
        exported = f"if (typeof module !== 'undefined') module.exports = {{ {', '.join(names)} }};"
        parts = ['"use strict";', elementary().rstrip(), called, *functions, exported]
        return "\n\n".join(part for part in parts if part) + "\n"


def _source(tape: Tape, name: str, script: Script) -> str:
    gradient = name == "value_and_grad"
    statements = Statements(tape, gradient, literal, script.expression, _assigned)
    parameters, inputs = statements.leaves[: tape.parameters], statements.leaves[tape.parameters :]
    once = [f"const [{', '.join(parameters)}] = parameters;", *statements.once]
    body = statements.by_row
    outputs, last = statements.shown(tape.outputs), ["return results;"]
    if gradient:
        sums = [f"g{place}" for place in range(tape.parameters)]
        once += [f"let {', '.join(f'{sum_} = 0' for sum_ in sums)};"] if sums else []
        once += ["let total = -0, s;"]  # −0 + x is x for every x
        first, *outputs = outputs
        body += [f"total += {first};"]
        for sum_, contributions in zip(sums, tape.gradients, strict=True):
            terms = statements.shown(contributions)
            body += [f"{statement};" for statement in added(sum_, terms, most=100)]
        means = ", ".join(f"{sum_} / count" for sum_ in sums)
        last = ["const count = rows.length;", f"return [total / count, [{means}], results];"]
    once += ["const results = [];"]
    body += [f"results.push([{', '.join(outputs)}]);"]
    loop = [f"for (const [{', '.join(inputs)}] of rows) {{"]
    loop += [f"  {text}" for text in body] + ["}"]
    inside = "\n".join(f"  {text}" for text in [*once, *loop, *last])
    return f"function {name}(parameters, rows) {{\n{inside}\n}}"


def _assigned(name: str, text: str, label: str) -> str:
    # A page may hold the script, and there "</script>" would end it.
    comment = " // " + label.replace("<", "\\u003c") if label else ""
    return f"const {name} = {text};{comment}"
