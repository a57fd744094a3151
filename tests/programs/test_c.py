"""Programs of the backend "c", compiled by the system's C compiler, against the engine."""

from __future__ import annotations

import ctypes
import itertools
import math
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from micrograd_like import Op, Value, compile, register
from micrograd_like.operation import OPS
from micrograd_like.programs.c import HELPERS, Functions
from tests.support.programs import (
    SPECIAL,
    TABLE,
    U,
    assert_higher_derivatives,
    compiled,
    expected,
    higher_derivatives_and_rows,
)
from tests.support.random_graphs import Recipe, random_recipe
from tests.support.sources import COMPILER, SHARED, built, called, library_of, needs_compiler

POINTS = (*SPECIAL, 3.0, 0.1, -0.3, 1e-8, 20.0, -20.0, 37.5, 710.0, 1e300, math.pi, -1e-320)
DOCUMENT = Path(__file__).parents[2] / "docs" / "microcontroller.md"


def near(found: float, want: float, scale: float = 0.0) -> bool:
    """The same special value with the same sign, or as near as elementary functions come."""
    if not math.isfinite(found) or not math.isfinite(want):
        return found == want or (found != found and want != want)
    return abs(found - want) <= 1e-12 * max(abs(want), scale) + 2.0**-1070


@needs_compiler
def test_every_row_of_the_table(tmp_path: Path) -> None:
    """Value and partials, as functions of one file."""
    script = Functions()
    lines = []
    for op in TABLE:
        operands = ["a", "b"][: len(op.partials)]
        readings: list[tuple[list[str], Callable[..., Any]]] = [(operands, op.__call__)]
        readings += [([*operands, "out"], partial) for partial in op.partials]
        for place, (names, reading) in enumerate(readings):
            text = script.definition(f"f_{op.name}_{place}", names, *script.read(reading, names))
            lines.append(text.removeprefix("static "))
    source = "\n".join(["#include <math.h>", *HELPERS.values(), *script.functions, *lines])
    library = ctypes.CDLL(str(built(source, tmp_path, *SHARED, "-Wno-unused-parameter")))
    for op in TABLE:
        arity = len(op.partials)
        for xs in itertools.product(POINTS, repeat=arity):
            node = op(*map(Value, xs))
            for place, want in enumerate((node.data, *node.local_grads)):
                function = library[f"f_{op.name}_{place}"]
                function.restype = ctypes.c_double
                arguments = [*xs, node.data] if place else xs
                found = function(*map(ctypes.c_double, arguments))
                assert near(found, want), (op.name, place, xs, found, want)


@needs_compiler
def test_second_and_third_derivatives_of_every_row(tmp_path: Path) -> None:
    inputs, outputs, rows = higher_derivatives_and_rows(3)
    library = library_of([compile(outputs, inputs, params=[], backend="c").source], tmp_path)
    count = len(outputs)
    _, flat = called(library, "values_0", [], rows, len(rows) * count)
    found = [flat[start : start + count] for start in range(0, len(flat), count)]
    assert_higher_derivatives(found, rows)


@needs_compiler
def test_random_graphs(tmp_path: Path) -> None:
    rng = random.Random(15)
    cases, sources = [], []
    for _ in range(60):
        recipe = random_recipe(rng)

        def build(params: list[Value], row: list[Value], recipe: Recipe = recipe) -> list[Value]:
            return [recipe.grow([*row, *params])[-1]]

        parameters, rows = list(recipe.leaves[1:]), [[recipe.leaves[0]], [0.7]]
        sources.append(compiled(build, parameters, 1, "c").source)
        cases.append((recipe, parameters, rows, expected(build, parameters, rows)))
    library = library_of(sources, tmp_path)
    for number, (recipe, parameters, rows, want) in enumerate(cases):
        _, values = called(library, f"values_{number}", parameters, rows, len(rows))
        name = f"value_and_grad_{number}"
        mean, gradient = called(library, name, parameters, rows, len(parameters))
        for found, [true] in zip(values, want.outputs, strict=True):
            assert near(found, true, want.mean_scale), recipe
        pairs = zip([mean, *gradient], [want.mean, *want.gradient], strict=True)
        for (found, true), scale in zip(pairs, [want.mean_scale, *want.scale], strict=True):
            assert near(found, true, 64 * U * scale / 1e-12), recipe


@needs_compiler
def test_the_document_runs_as_it_says(tmp_path: Path) -> None:
    """Its program is compiled and run, and its object code is as large as it says at most."""
    text = DOCUMENT.read_text(encoding="utf-8")
    [python] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {"print": lambda *_, **__: None}
    exec(python, names)
    [program, printed] = re.findall(r"```c\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)[0]
    source = names["program"].source + program
    run = subprocess.run([built(source, tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout == printed
    [size] = re.findall(r"([\d,]+) bytes of code", text)
    (tmp_path / "network.c").write_text(names["program"].source, encoding="utf-8")
    command = [str(COMPILER), "-std=c99", "-Os", "-c", "network.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / "network.o").stat().st_size < 3 * int(size.replace(",", ""))


def test_the_source_says_what_is_computed() -> None:
    w, x = Value(3.0, "w"), Value(2.0, "x")
    score = w * x
    score.label = "score */ /* \\"
    source = compile(score.tanh(), [x], backend="c").source
    assert "    const double v2 = p0 * x0; /* score * / / * \\ */\n" in source
    assert "    const double v3 = tanh(v2);\n" in source
    assert source.startswith("/* parameters: 1, inputs of a row: 1, outputs of a row: 1;\n")
    assert "value_and_grad" not in compile([score, x], [x], backend="c").source
    assert "softplus" not in source  # no function that is not used


def test_python_can_not_call_it() -> None:
    w, x = Value(3.0), Value(2.0)
    program = compile(w * x, [x], backend="c")
    for call in (program, program.value_and_grad, program.backward):
        with pytest.raises(
            RuntimeError, match="compiled by a C compiler, from its source; to call"
        ):
            call([[1.0]])
    assert w.grad == 0.0


def test_rows_of_ones_own() -> None:
    rounded = register(Op("rounded", "r", lambda a: float(round(a)), (lambda a, out: 0.0,)))
    try:
        with pytest.raises(ValueError, match=r"'c' can't run rounded: .*Python that takes"):
            compile(rounded(Value(2.0)), [], backend="c")
    finally:
        del OPS["rounded"]
