"""A tape as C99 source, for what runs no Python, a microcontroller say: the backend "c".

The lines are those of the generated Python, and functions are read from the table as for
JavaScript. The source needs `math.h`, no memory beyond the stack, and a compiler that keeps to
IEEE 754, so not the flag -ffast-math.
"""

from __future__ import annotations

from collections.abc import Sequence

from micrograd_like.programs.javascript import Script, SourceRunner
from micrograd_like.programs.spelling import Language, literal_of
from micrograd_like.programs.statements import Statements
from micrograd_like.programs.tape import Tape

_LIBRARY = {
    *("exp", "log", "log1p", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "atan2"),
    *("hypot", "expm1", "sinh", "cosh", "tanh", "erf", "pow"),
}
HELPERS = {
    "sigmoid": """\
static double sigmoid(double a) { /* x / (1 + e), and what the rounding of 1 + e has lost */
  const double e = exp(-fabs(a)), t = 1.0 + e, q = (a < 0.0 ? e : 1.0) / t;
  return q - q * (e - (t - 1.0)) / t;
}""",
    "softplus": """\
static double softplus(double a) {
  return log1p(exp(-fabs(a))) + (a < 0.0 ? 0.0 : a);
}""",
    "logaddexp": """\
static double logaddexp(double a, double b) {
  if (a == b) return a + log(2.0);
  const double low = a < b ? a : b, high = a < b ? b : a;
  const double d = low - high, e = exp(d);
  const double lost = low - (d + (low - d)) + (low - d - high); /* by rounding low - high */
  return high + (log1p(e) + (e > 0.0 ? lost * e / (1.0 + e) : 0.0));
}""",
}
"""Rows that the C library does not have."""


def literal(x: float) -> str:
    """A number as C writes it; in parentheses where it has a sign.

    >>> literal(0.1), literal(-2.0), literal(float("inf"))
    ('0.1', '(-2.0)', 'INFINITY')
    """
    return literal_of(x, "NAN", "INFINITY")


C = Language("{0} ? {1} : {2}", "{} == {}", "fabs({})", literal)


class Functions(Script):
    """The functions that a program calls, in C."""

    language = C
    elementary = _LIBRARY | set(HELPERS)

    def definition(
        self, name: str, names: Sequence[str], statements: list[tuple[str, str]], result: str
    ) -> str:
        head = f"static double {name}({', '.join([f'double {operand}' for operand in names])}) {{"
        lines = [f"  const double {local} = {text};" for local, text in statements]
        return "\n".join([head, *lines, f"  return {result};", "}"])


knows = Functions.knows


class CRunner(SourceRunner):
    """A tape as C."""

    backend = "c"
    runs = "is compiled by a C compiler"

    @property
    def source(self) -> str:
        """A file that defines `values` and, for one output, `value_and_grad`.

        Both take parameters, the number of rows, and the rows, one after the other. The first
        writes the outputs of each row, the second writes the means of the derivatives and returns
        the mean.
        """
        script = Functions()
        names = ["values", "value_and_grad"] if self._tape.gradients else ["values"]
        functions = [_source(self._tape, name, script) for name in names]
        written = "".join(functions + script.functions)
        helpers = [text for name, text in HELPERS.items() if f"{name}(" in written]
        tape = self._tape
        counts = f"parameters: {tape.parameters}, inputs of a row: {tape.inputs}, outputs of a row"
        parts = [
            f"/* {counts}: {len(tape.outputs)};\n   C99, not to be compiled with -ffast-math */",
            "#include <math.h>\n#include <stddef.h>",
            *helpers,
            *script.functions,
            *functions,
        ]
        return "\n\n".join(parts) + "\n"


def _source(tape: Tape, name: str, script: Script) -> str:
    gradient = name == "value_and_grad"
    statements = Statements(tape, gradient, literal, script.expression, _assigned)
    outputs = statements.shown(tape.outputs)
    used = statements.used
    once = [f"const double p{i} = parameters[{i}];" for i in range(tape.parameters) if i in used]
    body = [
        f"const double x{i} = rows[row * {tape.inputs} + {i}];"
        for i in range(tape.inputs)
        if tape.parameters + i in used
    ]
    once += statements.once
    body += statements.by_row
    last = []
    if gradient:
        every = f"for (size_t i = 0; i < {tape.parameters}; i++) gradient[i]"
        once += [f"{every} = 0.0;"] if tape.parameters else []
        once += ["double total = 0.0;"]
        body += [f"total += {outputs[0]};"]
        for i, terms in enumerate(map(statements.shown, tape.gradients)):
            body += [f"gradient[{i}] += {' + '.join(terms)};"] if terms else []
        last = [f"{every} /= (double)count;"] if tape.parameters else ["(void)gradient;"]
        last += ["return total / (double)count;"]
        head = "double value_and_grad(const double *parameters, size_t count, const double *rows,"
        head += "\n                      double *gradient) {"
    else:
        count = len(outputs)
        body += [f"outputs[row * {count} + {i}] = {text};" for i, text in enumerate(outputs)]
        head = "void values(const double *parameters, size_t count, const double *rows,"
        head += "\n            double *outputs) {"
    unused = [] if any(i in used for i in range(tape.parameters)) else ["(void)parameters;"]
    unused += (
        [] if any(tape.parameters + i in used for i in range(tape.inputs)) else ["(void)rows;"]
    )
    loop = ["for (size_t row = 0; row < count; row++) {", *[f"  {text}" for text in body], "}"]
    inside = [f"  {text}" for text in [*unused, *once, *loop, *last]]
    return "\n".join([head, *inside, "}"])


def _assigned(name: str, text: str, label: str) -> str:
    comment = f" /* {label.replace('*/', '* /').replace('/*', '/ *')} */" if label else ""
    return f"const double {name} = {text};{comment}"
