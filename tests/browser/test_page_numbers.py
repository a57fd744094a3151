"""The numbers of the page of `explore`, and its panels, against the engine."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from micrograd_like import MLP, Value, explore, grad
from micrograd_like._internal.text import number
from micrograd_like.graph import nodes_of
from micrograd_like.operation import LINE, Op
from tests.browser.conftest import Opener
from tests.support.pages import again_in, wait_until
from tests.support.programs import TABLE
from tests.support.random_graphs import random_recipe
from tests.support.tame_graphs import gabs

POINTS = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    3.0,
    1e-310,
    -5e-324,
    40.0,
    -750.0,
    1e200,
    math.inf,
    -math.inf,
    math.nan,
)
SLIDE = """([leaves]) => leaves.map((x, k) => {
  const slider = document.getElementById(`leaf${k}`);
  slider.value = String(x);
  slider.dispatchEvent(new Event("input"));
}) && [Array.from(now.data), Array.from(full), controls.map(({slider}) => Number(slider.value))]"""
TYPE = """([texts]) => texts.map((text, k) => {
  const field = document.getElementById(`number${k}`);
  field.value = text;
  field.dispatchEvent(new Event("input"));
}) && [Array.from(now.data), Array.from(full)]"""


def near(found: float, want: float, scale: float = 0.0) -> bool:
    """The same special value, or as near as elementary functions come."""
    if not (math.isfinite(found) and math.isfinite(want)):
        return found == want or (found != found and want != want)
    return abs(found - want) <= 1e-12 * max(abs(want), scale) + 2.0**-1070


@pytest.mark.parametrize("seed", range(10))
def test_random_graphs_by_slider_and_field(opened: Opener, seed: int) -> None:
    """Two hundred graphs, twenty a seed."""
    rng = random.Random(140 + seed)
    page = opened("")
    for _ in range(20):
        recipe = random_recipe(rng, 20)
        leaves = [Value(x, f"x{i}") for i, x in enumerate(recipe.leaves)]
        root = recipe.grow(leaves)[-1]
        used = [node for node in nodes_of(root) if not node.op]
        again_in(page, explore(root).html)
        for how in "slide", "type", "slide":
            numbers = [rng.uniform(-1.0, 1.0) for _ in used]
            if how == "slide":
                data, grads, numbers = page.evaluate(SLIDE, [numbers])
            else:
                data, grads = page.evaluate(TYPE, [list(map(repr, numbers))])
            new = dict(zip(used, numbers, strict=True))
            again = recipe.grow([Value(new.get(x, x.data)) for x in leaves])[-1]
            again.backward()
            scales = gabs(again)
            for node, x, slope in zip(nodes_of(again), data, grads, strict=True):
                assert near(x, node.data), recipe
                assert near(slope, node.grad, scales.get(node, 0.0)), recipe


@pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)
def test_every_row_over_its_domain(opened: Opener, op: Op) -> None:
    """By field anywhere in it, by slider wherever that reaches."""
    rng = random.Random(op.name)
    bounds = [*op.domain, LINE, LINE][: len(op.partials)]
    domain = [(max(low, -30.0), min(high, 30.0)) for low, high in bounds]
    page = opened(explore(op(*[Value(0.5) for _ in op.partials])).html)
    for k in range(40):
        numbers = [rng.uniform(*inside) if k % 4 else rng.choice(inside) for inside in domain]
        if k % 2:
            data, grads = page.evaluate(TYPE, [list(map(repr, numbers))])
        else:
            data, grads, numbers = page.evaluate(SLIDE, [numbers])
        leaves = list(map(Value, numbers))
        root = op(*leaves)
        root.backward()
        assert near(data[-1], root.data), (numbers, data[-1], root)
        for found, leaf in zip(grads, leaves, strict=False):
            assert near(found, leaf.grad), (numbers, grads, leaves)


@pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)
def test_second_and_third_derivatives_of_every_row(opened: Opener, op: Op) -> None:
    """The graph of a second derivative in a page, whose gradients are third ones."""
    rng = random.Random(op.name)
    bounds = [*op.domain, LINE, LINE][: len(op.partials)]
    domain = [(max(low, -5.0) + 0.01, min(high, 5.0) - 0.01) for low, high in bounds]
    page = opened("")
    for first, second in itertools.product(range(len(op.partials)), repeat=2):
        derivative = grad(grad(op, first), second)
        shown = derivative(*[Value(rng.uniform(*inside)) for inside in domain])
        if not shown.op:  # a constant
            continue
        leaves = [node for node in nodes_of(shown) if not node.op]
        again_in(page, explore(shown).html)
        for _ in range(10):
            given = [Value(rng.uniform(*inside)) for inside in domain]
            root = derivative(*given)
            root.backward()
            nodes, scales = nodes_of(root), gabs(root)
            used = [node for node in nodes if not node.op]
            assert len(used) == len(leaves)
            data, grads = page.evaluate(TYPE, [[repr(node.data) for node in used]])
            for node, x, slope in zip(nodes, data, grads, strict=True):
                assert near(x, node.data, 1.0), (node, x)
                assert near(slope, node.grad, scales.get(node, 0.0)), (node, slope)


@pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)
def test_special_values_in_every_row(opened: Opener, op: Op) -> None:
    page = opened(explore(op(*[Value(0.5) for _ in op.partials])).html)
    for numbers in itertools.product(POINTS, repeat=len(op.partials)):
        leaves = list(map(Value, numbers))
        root = op(*leaves)
        root.backward()
        data, grads = page.evaluate(TYPE, [list(map(repr, numbers))])
        assert near(data[-1], root.data), (numbers, data[-1], root)
        for found, leaf in zip(grads, leaves, strict=False):
            assert near(found, leaf.grad), (numbers, grads, leaves)


def test_zero_passes_nothing_back(opened: Opener) -> None:
    """Not even to a local derivative of inf: √a under a relu at 0, and x·√x."""
    a = Value(4.0, label="a")
    page = opened(explore((a.sqrt() - 1.0).relu()).html)
    assert page.evaluate(TYPE, [["0"]])[1][0] == 0.0


def parabola() -> tuple[Value, Value, Value]:
    a, b = Value(3.0, label="a"), Value(-2.0, label="b")
    L = (a - 1.0) ** 2 + 3.0 * (b + 0.5) ** 2
    L.label = "L"
    return L, a, b


def numbers_of(page: Page) -> list[float]:
    found: list[float] = page.evaluate("leaves")
    return found


def test_a_hundred_steps_downhill_are_those_of_the_engine(opened: Opener) -> None:
    model = MLP(2, [4, 1], activation="tanh", rng=random.Random(3))
    x = [Value(0.5, label="x1"), Value(-0.3, label="x2")]
    loss = (model(x) - 0.8) ** 2
    page = opened(explore(loss, names={"loss": loss}, model=model).html)
    page.fill("#rate", "-1")
    page.evaluate("for (let step = 0; step < 100; step++) descend()")
    parameters = model.parameters()
    for _ in range(100):
        model.zero_grad()
        again = (model(x) - 0.8) ** 2
        again.backward()
        for p in parameters:
            p.data -= 0.1 * p.grad
    used = [node for node in nodes_of(loss) if not node.op]
    assert numbers_of(page) == pytest.approx([node.data for node in used], rel=1e-9)
    assert page.inner_text("#descended").startswith("loss after 100 steps: ")


def test_held_leaves_stay_and_reset_brings_all_back(opened: Opener) -> None:
    L, _, _ = parabola()
    page = opened(explore(L).html)
    page.locator("#leaves input[type=checkbox]").first.check()
    page.click("#down")
    a, b = numbers_of(page)
    assert a == 3.0
    assert b == pytest.approx(-2.0 + 10**-1.5 * 9.0)
    assert page.evaluate("at('curve').querySelector('polyline').points.length") == 2
    page.click("#last")
    page.click("#reset")
    assert numbers_of(page) == [3.0, -2.0]
    assert page.inner_text("#descended") == f"L = {number(4.0 + 6.75)}"


def test_run_goes_on_until_it_is_stopped(opened: Opener) -> None:
    L, _, _ = parabola()
    page = opened(explore(L).html)
    page.click("#run")
    wait_until(page, "losses.length > 5")
    page.click("#run")
    assert page.inner_text("#run") == "Run"
    steps = page.evaluate("losses.length")
    page.wait_for_timeout(100)
    assert page.evaluate("losses.length") == steps


def test_a_run_that_leaves_the_numbers_stops_and_says_so(opened: Opener) -> None:
    a = Value(3.0, label="a")
    L = (a * a * a * a).exp()
    page = opened(explore(L, names={"L": L}).html)
    page.fill("#rate", "0")
    page.click("#run")
    wait_until(page, "running === null")
    assert "reset, and try a smaller rate" in page.inner_text("#descended")


def test_leaves_of_a_network_are_folded_by_neuron(opened: Opener) -> None:
    model = MLP(2, [3, 1])
    root = model([Value(0.5, label="x1"), Value(-0.3, label="x2")])
    page = opened(explore(root, model=model).html)
    folders = page.locator("#leaves summary").all_inner_texts()
    assert sorted(folders) == [
        "layers.0.neurons.0",
        "layers.0.neurons.1",
        "layers.0.neurons.2",
        "layers.1.neurons.0",
    ]
    loose = page.locator("#leaves > .leaf")
    assert [row.locator(".name").inner_text() for row in loose.all()] == ["x1", "x2"]
    assert all(row.locator("input[type=checkbox]").is_checked() for row in loose.all())
    assert page.locator("#leaves details input[type=checkbox]:checked").count() == 0


@pytest.mark.parametrize("text", ["", "abc", "1e", "--2", "3/4", "1,500.0", "1,2,3"])
def test_what_is_no_number_changes_nothing(opened: Opener, text: str) -> None:
    L, _, _ = parabola()
    page = opened(explore(L).html)
    page.fill("#number0", text)
    assert page.get_attribute("#number0", "aria-invalid") == "true"
    assert page.inner_text("#leaves .hint >> nth=0") == "a number, such as 0.75"
    assert numbers_of(page) == [3.0, -2.0]
    page.focus("#next")
    assert page.inner_text("#leaves").count("such as") == 0
    assert page.input_value("#number0") == "3"
    assert page.get_attribute("#number0", "aria-invalid") == "false"


def test_a_decimal_comma_is_a_point(opened: Opener) -> None:
    L, _, _ = parabola()
    page = opened(explore(L).html)
    page.fill("#number0", "−1,5")
    assert numbers_of(page) == [-1.5, -2.0]


def test_a_nudge_that_is_too_small_shows_its_rounding(opened: Opener) -> None:
    L, _, _ = parabola()
    page = opened(explore(L).html)
    page.click("#nudge_panel summary")
    page.select_option("#nudged", "1")
    errors = []
    for step in ("0.000001", "1e-15"):
        page.select_option("#by", step)
        shown = [line for line in page.inner_text("#nudge").split("\n") if line]
        errors.append(abs(float(shown[2].split(" = ")[1].replace("−", "-")) + 9.0))
    assert errors[0] < 1e-3 < 1e-2 < errors[1]
    assert shown[0].split(" = ")[1] != shown[1].split(" = ")[1]  # with its last digits


def test_a_nudge_stands_beside_the_gradient(opened: Opener) -> None:
    L, _, _ = parabola()
    page = opened(explore(L).html)
    page.click("#nudge_panel summary")
    page.select_option("#nudged", "1")
    page.select_option("#by", "0.1")
    lines = page.inner_text("#nudge").split("\n")
    shown = [line for line in lines if line]
    assert "difference / 0.2 = −9.0" in shown[2] or re.search(
        r"= −(9\.0|8\.9999|9\.0000)", shown[2]
    )
    assert shown[3] == "∂L/∂b, by backprop = −9.0"


def test_the_quiz_keeps_a_score(opened: Opener) -> None:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    c = a * b
    L = c * 4.0
    window = {"width": 1280, "height": 720}
    page = opened(explore(L, names={"c": c, "L": L}).html, viewport=window)
    page.click("#quiz_panel summary")
    page.click("#start_quiz")
    for part in ("#graph", "#answer"):  # the picture stays in view
        box = page.locator(part).bounding_box()
        assert box
        assert 0 <= box["y"] <= box["y"] + box["height"] <= 720
    answers: list[tuple[str, str, str]] = [
        ("c.grad", "4", "Score: 1 of 1. Right"),
        ("a.grad", "12", "Score: 1 of 2. No, not 12.0: ∂c/∂a = b = −3.0, so 4.0 · (−3.0) = −12.0"),
        ("b.grad", "8.01", "Score: 2 of 3. Right"),  # to one per cent
    ]
    for asked, answer, said in answers:
        assert asked in page.inner_text("#question")
        page.fill("#answer", "3/4")
        page.keyboard.press("Enter")
        assert page.inner_text("#score") == "a number, such as 0.75"
        page.fill("#answer", answer)
        page.keyboard.press("Enter")
        assert page.inner_text("#score").startswith(said)
        if asked == "c.grad":  # of the two local derivatives to come none is told
            assert slopes_shown(page) == ["×4.0"]
    assert sorted(slopes_shown(page)) == ["×2.0", "×4.0", "×−3.0"]
    assert page.inner_text("#position") == "backward 2 of 2"
    assert page.evaluate("document.activeElement.id") == "start_quiz"


def slopes_shown(page: Page) -> list[str]:
    return [text for text in page.locator(".slope").all_text_contents() if text]


def run_python(page: Page) -> dict[str, Any]:
    page.click("#copy")
    namespace: dict[str, Any] = {}
    exec(page.input_value("#code"), namespace)
    return namespace


def test_the_python_that_is_copied_computes_the_same(
    opened: Opener, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(9)
    for _ in range(8):
        recipe = random_recipe(rng, 25)
        root = recipe.build()[-1]
        page = opened(explore(root, names={"class": root}).html)
        found = run_python(page)["v_class"]
        root.backward()
        assert near(found.data, root.data)
        assert [x.grad for x in nodes_of(found)] == [x.grad for x in nodes_of(root)] or any(
            x.grad != x.grad for x in nodes_of(root)
        )
    assert ".grad =" in capsys.readouterr().out


@pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)
def test_every_row_is_written_as_python(opened: Opener, op: Op) -> None:
    operands: Sequence[Value] = [Value(0.4, label=name) for name in "ab"[: len(op.partials)]]
    root = op(*operands)
    found = run_python(opened(explore(root, names={"r": root}).html))["r"]
    root.backward()
    assert (found.op, found.data) == (op.name, root.data)
    assert [x.grad for x in found.parents] == [x.grad for x in operands]


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_picture_of_a_step_is_saved(opened: Opener, tmp_path: Path, ending: str) -> None:
    L, _, _ = parabola()
    page = opened(explore(L).html)
    page.click("#last")
    with page.expect_download() as waiting:
        page.click(f"#save_{ending}")
    waiting.value.save_as(tmp_path / "picture")
    picture = (tmp_path / "picture").read_bytes()
    assert waiting.value.suggested_filename.endswith(f".{ending}")
    if ending == "png":
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 5000
        return
    assert "grad −9.0" in picture.decode()
    assert "var(" not in picture.decode()  # it needs no style of a page
