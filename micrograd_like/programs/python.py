"""A tape as Python source: one line an operation, to be read, stepped through and timed.

    def value_and_grad(parameters, rows):
        [p0] = parameters
        [g0] = [0.0] * 1
        total = -0.0
        for [x0] in rows:
            v2 = p0 * x0  # score
            total += v2
            g0 += x0
        count = len(rows)
        return total / count, [g0 / count]

Results equal the engine's to the bit: rows are added up in the order in which one `backward` after
the other adds them to `grad`. The source is written with Python's own `/`, which raises where IEEE
754 has an answer, and with plain products in the backward pass. When that raises, or a gradient is
not finite, the rows are run again with the forward functions of what divides and `Tape.careful`.
"""

from __future__ import annotations

import itertools
import linecache
import math
import re
import textwrap
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from micrograd_like._internal.extras import load
from micrograd_like.operation import Op, evaluate
from micrograd_like.programs.branchless import STANDARD
from micrograd_like.programs.rows import read_rows
from micrograd_like.programs.spelling import PYTHON, inline
from micrograd_like.programs.statements import Statements, added
from micrograd_like.programs.tape import Tape

_numbers = itertools.count(1)

Table = Sequence[Sequence[float]]


class PythonRunner:
    """A tape run by generated Python."""

    backend = "python"
    table = staticmethod(read_rows)

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._functions: dict[tuple[bool, bool], Callable[..., Any]] = {}

    @property
    def source(self) -> str:
        """The text of the functions that run: of the outputs and, for one output, its gradient."""
        kinds = [False, True] if self._tape.gradients else [False]
        return "\n\n".join(_source(self._tape, gradient, careful=False) for gradient in kinds)

    def parameters(self, given: Any, count: int) -> list[float]:
        """An array of so many numbers, checked, as the other methods take it."""
        load("numpy", "llvm")
        from micrograd_like.programs.arrays import read_parameters

        numbers: list[float] = read_parameters(given, count).tolist()
        return numbers

    def values(self, parameters: Sequence[float], table: Table) -> list[list[float]]:
        """The outputs for every row."""
        return self._run(False, parameters, table)  # type: ignore[no-any-return]

    def value_and_grad(
        self, parameters: Sequence[float], table: Table
    ) -> tuple[float, list[float]]:
        """Mean of the first output over the rows, and means of its derivatives."""
        return self._run(True, parameters, table)  # type: ignore[no-any-return]

    def _run(self, gradient: bool, parameters: Sequence[float], rows: Table) -> Any:
        try:
            found = self._function(gradient, careful=False)(parameters, rows)
        except ZeroDivisionError:
            return self._function(gradient, careful=True)(parameters, rows)
        if gradient and not all(map(math.isfinite, found[1])):
            return self._function(gradient, careful=True)(parameters, rows)
        return found

    def _function(self, gradient: bool, careful: bool) -> Callable[..., Any]:
        if (gradient, careful) not in self._functions:
            tape = self._tape.careful() if careful else self._tape
            source = _source(tape, gradient, careful)
            filename = f"<compiled graph {next(_numbers)}>"
            # Debuggers, `inspect` and tracebacks look here, until the program goes.
            lines = source.splitlines(keepends=True)
            linecache.cache[filename] = (len(source), None, lines, filename)
            weakref.finalize(self, linecache.cache.pop, filename, None)
            names: dict[str, Any] = {"inf": math.inf, "nan": math.nan}
            names |= {_called(op): _call(op) for op in tape.ops.values()}
            exec(compile(source, filename, "exec"), names)
            self._functions[gradient, careful] = names["value_and_grad" if gradient else "values"]
        return self._functions[gradient, careful]


def _call(op: Op) -> Callable[..., float]:
    if op is STANDARD.get(op.name):
        return op.forward
    # A row of one's own is ordinary Python, which may raise; `evaluate` looks after that.
    return lambda *operands: evaluate(op.forward, operands)


def _called(op: Op) -> str:
    # A row of one's own must not take one of the names in the source.
    if op is STANDARD.get(op.name):
        return op.name
    return "op_" + op.name if op.name.isidentifier() else re.sub(r"\W+", "_", op.name) + "of"


def _source(tape: Tape, gradient: bool, careful: bool) -> str:
    name = "value_and_grad" if gradient else "values"
    statements = Statements(tape, gradient, repr, partial(_expression, careful), _assigned)
    parameters, inputs = statements.leaves[: tape.parameters], statements.leaves[tape.parameters :]
    once = [_wrapped(f"[{', '.join(parameters)}] = parameters"), *statements.once]
    body = statements.by_row
    outputs = statements.shown(tape.outputs)
    if gradient:
        sums = [f"g{place}" for place in range(tape.parameters)]
        # −0.0 + x is x for every x, while 0.0 + −0.0 is 0.0.
        once += [_wrapped(f"[{', '.join(sums)}] = [0.0] * {len(sums)}"), "total = -0.0"]
        body += [f"total += {outputs[0]}"]
        for name_of_sum, contributions in zip(sums, tape.gradients, strict=True):
            body += added(name_of_sum, statements.shown(contributions), most=8)
        means = ", ".join(f"{name_of_sum} / count" for name_of_sum in sums)
        last = ["count = len(rows)", _wrapped(f"return total / count, [{means}]")]
    else:
        once += ["results = []"]
        body += [_wrapped(f"results.append([{', '.join(outputs)}])")]
        last = ["return results"]
    loop = [f"for [{', '.join(inputs)}] in rows:", *(_indented(text) for text in body)]
    return "\n".join([f"def {name}(parameters, rows):", *map(_indented, once + loop + last)]) + "\n"


def _expression(careful: bool, op: Op, operands: list[str]) -> str:
    form = inline(op, PYTHON)
    if form and not (careful and "/" in form):
        return form.format(*operands)
    return f"{_called(op)}({', '.join(operands)})"


def _assigned(name: str, text: str, label: str) -> str:
    return f"{name} = {text}{label and '  # ' + label}"


def _indented(text: str) -> str:
    return textwrap.indent(text, "    ")


def _wrapped(text: str) -> str:
    """The first list in a long line over several lines; outside brackets no line may break."""
    if len(text) < 90:
        return text
    end = text.index("]")
    lines = textwrap.wrap(text[:end], 90, subsequent_indent="    ", break_long_words=False)
    return "\n".join(lines) + text[end:]
