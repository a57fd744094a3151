"""Programs of the backend "javascript", run by Chromium, against the engine."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import pytest
from playwright.sync_api import Browser, Page

from micrograd_like import Value, compile
from micrograd_like.operation import Op
from micrograd_like.programs.javascript import Script, elementary
from tests.programs.test_masks import MASKED, Z, check, rows_of
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

POINTS = (*SPECIAL, 3.0, 0.1, -0.3, 1e-8, 20.0, -20.0, 37.5, 710.0, 1e300, math.pi, -1e-320)


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    return browser.new_page()


def near(found: float, want: float) -> bool:
    """The same special value with the same sign, or as near as elementary functions come."""
    if found != found or want != want:
        return found != found and want != want
    if math.isinf(found) or math.isinf(want) or found == want == 0.0:
        return found == want and math.copysign(1.0, found) == math.copysign(1.0, want)
    return abs(found - want) <= 1e-12 * abs(want) + 2.0**-1070  # subnormal ones have few digits


def run(
    page: Page, functions: Sequence[str], script: Script, rows: Sequence[object]
) -> list[list[float]]:
    source = "\n".join([elementary(), *script.functions, f"return [{', '.join(functions)}];"])
    found: list[list[float]] = page.evaluate(
        "([source, rows]) => { const fs = new Function(source)();"
        "return rows.map((row) => fs.map((f) => f(...row))); }",
        [source, list(rows)],
    )
    return found


@pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)
def test_every_row_of_the_table(page: Page, op: Op) -> None:
    arity = len(op.partials)
    operands = list(itertools.product(POINTS, repeat=arity))
    nodes = [op(*map(Value, xs)) for xs in operands]
    script = Script()
    functions = [script.forward(op)]
    functions += [script.function(partial, arity + 1) for partial in op.partials]
    rows = [[*xs, node.data] for xs, node in zip(operands, nodes, strict=True)]
    for row, node, found in zip(rows, nodes, run(page, functions, script, rows), strict=True):
        for x, want in zip(found, (node.data, *node.local_grads), strict=True):
            assert near(x, want), (op, row, found, node.local_grads)


def test_second_and_third_derivatives_of_every_row(page: Page) -> None:
    inputs, outputs, rows = higher_derivatives_and_rows(3)
    found = page.evaluate(
        "([source, rows]) => { const module = {}; new Function('module', source)(module);"
        "return module.exports.values([], rows); }",
        [compile(outputs, inputs, params=[], backend="javascript").source, rows],
    )
    assert_higher_derivatives(found, rows)


@pytest.mark.parametrize("name", MASKED)
def test_masks(page: Page, name: str) -> None:
    source = compiled(MASKED[name][0], Z, len(Z), "javascript").source
    for row in rows_of(name):
        mean, gradient, _ = page.evaluate(
            "([source, parameters, row]) => { const module = {};"
            "new Function('module', source)(module);"
            "return module.exports.value_and_grad(parameters, [row]); }",
            [source, list(Z), list(row)],
        )
        check(name, [row], mean, gradient)


def test_random_graphs(page: Page) -> None:
    rng = random.Random(14)
    for _ in range(200):
        recipe = random_recipe(rng)

        def build(params: list[Value], row: list[Value], recipe: Recipe = recipe) -> list[Value]:
            return [recipe.grow([*row, *params])[-1]]

        parameters, rows = list(recipe.leaves[1:]), [[recipe.leaves[0]], [0.7]]
        want = expected(build, parameters, rows)
        values, [mean, gradient, others] = page.evaluate(
            "([source, parameters, rows]) => { const module = {};"
            "new Function('module', source)(module);"
            "const { values, value_and_grad } = module.exports;"
            "return [values(parameters, rows), value_and_grad(parameters, rows)]; }",
            [compiled(build, parameters, 1, "javascript").source, parameters, rows],
        )
        assert others == [[], []]
        for [found], [true] in zip(values, want.outputs, strict=True):
            assert near(found, true) or abs(found - true) <= 1e-12 * want.mean_scale
        scales = (want.mean_scale, *want.scale)
        pairs = zip((mean, *gradient), (want.mean, *want.gradient), scales, strict=True)
        for found, true, scale in pairs:
            assert near(found, true) or abs(found - true) <= 64 * U * scale, recipe
