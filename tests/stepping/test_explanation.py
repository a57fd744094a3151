from __future__ import annotations

import math
import random
import re
from typing import Any

import pytest

from micrograd_like import MLP, SGD, Value, draw, grad, maximum, mse_loss
from micrograd_like._internal.text import number
from micrograd_like.graph import changes_of, distinct_names, nodes_of
from micrograd_like.operation import OPS
from micrograd_like.stepping.explanation import Explainer, explain
from micrograd_like.stepping.stepper import Stepper
from tests.support.random_graphs import Recipe, bits, random_recipe

RECIPES = [random_recipe(random.Random(seed)) for seed in range(200)]
NUMBER = r"(−?[\d.]+(?:e[+−]\d+)?|−?inf|nan)"


def numbers(pattern: str, text: str) -> list[float]:
    return [float(x.replace("−", "-")) for x in re.findall(pattern, text)]


def graph() -> dict[str, Value]:
    """L = tanh(c)·c + a with c = a·b."""
    a, b = Value(0.5, "a"), Value(-2.0, "b")
    c = a * b
    d = c.tanh()
    e = d * c
    return {"a": a, "b": b, "c": c, "d": d, "e": e, "L": e + a}


def test_one_gradient_as_the_sum_over_its_uses() -> None:
    names = graph()
    names["L"].backward()
    t, s = math.tanh(-1.0), 1.0 - math.tanh(-1.0) ** 2
    via_c = -2.0 * (t - s)  # ∂(c·tanh c)/∂c = tanh c + c·(1 − tanh² c), with c = −1
    c_grad = f"c.grad = −{s - t:.4f}"
    assert explain(names["a"], names["L"], names=names).splitlines() == [
        f"a.grad = {1 + via_c:.4f} = (via L) ∂L/∂a · L.grad + (via c) ∂c/∂a · c.grad",
        f"                = 1.0 · 1.0 + (−2.0) · (−{s - t:.4f})",
        "  via L   L = e + a   ∂L/∂a = 1          L.grad =  1.0      contributes 1.0",
        f"  via c   c = a·b     ∂c/∂a = b = −2.0   {c_grad}   contributes {via_c:.4f}",
    ]


def test_paths_with_the_product_of_their_local_derivatives() -> None:
    names = graph()
    names["L"].backward()
    t, s = math.tanh(-1.0), 1.0 - math.tanh(-1.0) ** 2
    text = explain(names["b"], names["L"], names=names, paths=True)
    assert text.splitlines()[-3:] == [
        "paths from L to b: 2, all moved by it at once, so they add up",
        f"  L → e → c → b       1.0 · (−{-t:.4f}) · 0.5       = −{-t / 2:.4f}",
        f"  L → e → d → c → b   1.0 · (−1.0) · {s:.4f} · 0.5 = −{s / 2:.4f}",
    ]


@pytest.mark.long
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_sum_is_the_gradient_to_the_bit(recipe: Recipe) -> None:
    nodes = recipe.build()
    root = nodes[-1]
    root.backward()
    order = nodes_of(root)
    explainer = Explainer(root, distinct_names(order))
    before = bits([node.grad for node in order])
    for node in order:
        grad = node.grad
        text = explainer.text(node, paths=True)
        if node is root:
            continue
        assert bits([explainer.sums.get(node, 0.0)]) == bits([grad])
        terms = [x for line in text.splitlines() for x in numbers(rf"contributes +{NUMBER}$", line)]
        assert terms or "lets no gradient through" in text
        if all(map(math.isfinite, terms)) and math.isfinite(grad) and len(terms) <= 10:
            shown = sum(5e-5 + 5e-5 * abs(x) for x in terms)  # what rounding for the eye takes away
            assert abs(sum(terms) - grad) <= shown
            ways = [x for line in text.splitlines() for x in numbers(rf" → .* = +{NUMBER}$", line)]
            if ways and "the first 20" not in text:
                shown = sum(5e-5 + 5e-5 * abs(x) for x in ways)
                assert abs(sum(ways) - grad) <= shown + 1e-9 * sum(map(abs, ways))
        if grad == 0.0:
            assert "because" in text or "lets no gradient through" in text
        if not math.isfinite(grad):
            assert "the first " in text
    assert bits([node.grad for node in order]) == before


def test_before_backward_it_says_so_and_what_it_would_give() -> None:
    names = graph()
    text = explain(names["b"], names["L"], names=names)
    assert text.startswith(
        "b.grad is 0.0: backward has not run from L, or was cleared since; it would give\nb.grad = "
    )
    assert names["b"].grad == 0.0
    names["L"].backward()
    assert text.split("\n", 1)[1] == explain(names["b"], names["L"], names=names)
    names["b"].grad = 0.0
    assert explain(names["b"], names["L"], names=names) == text


def test_the_root() -> None:
    L = Value(2.0, "a") * 3
    L.label = "L"
    healthy = "there is no nan and no inf, neither forwards nor backwards"
    assert explain(L, L).splitlines() == [
        "L.grad = 0.0: backward has not run from L, or was cleared since; it starts here",
        "  with 1",
        healthy,
    ]
    L.backward()
    assert explain(L, L).splitlines() == [
        "L.grad = 1.0: the pass starts here, since ∂L/∂L = 1",
        healthy,
    ]
    L.backward(2.5)
    assert explain(L, L).splitlines() == [
        "L.grad = 2.5: a pass came here with that, from a seed or from what is made of L",
        healthy,
    ]
    stepper = Stepper(L)
    assert healthy not in stepper.explain(L)  # steps are to come
    stepper.run()
    assert healthy in stepper.explain(L)


def test_an_inf_that_reaches_no_result_is_told_all_the_same() -> None:
    a = Value(1e200, "a")
    L = 1 / (a * a)
    L.label = "L"
    told = "the first inf of the forward pass: v1 = a·a = 1e+200·1e+200 = inf"
    assert explain(L, L, names={}).splitlines()[-1:] == [told]


def test_without_a_root_the_error_says_what_there_is_to_ask() -> None:
    with pytest.raises(TypeError, match=r"write explain\(a, L\), .*; explain\(L, L\) tells where"):
        explain(Value(2.0) * 3)


def test_a_seed_goes_through() -> None:
    a = Value(3.0, "a")
    L = a * a
    L.label = "L"
    L.backward(10.0)
    text = explain(a, L, paths=True)
    assert text.startswith("a.grad = 60.0 = ")
    assert "  L → (1st a)   10.0 · 3.0 = 30.0" in text
    assert "  L → (2nd a)   10.0 · 3.0 = 30.0" in text


def test_what_came_from_elsewhere_is_a_term() -> None:
    a = Value(3.0, "a")
    L = 2 * a
    L.label = "L"
    L.backward()
    L.backward()
    assert explain(a, L).splitlines() == [
        "a.grad = 4.0 = (via L) ∂L/∂a · L.grad + (elsewhere)",
        "             = 2.0 · 1.0 + 2.0",
        "  via L   L = 2·a   ∂L/∂a = 2   L.grad = 1.0   contributes 2.0",
        "elsewhere: 2.0 was in a.grad from passes before, not set back in between by",
        "  a.grad = 0, or is from another root",
    ]


def test_what_is_in_a_gradient_before_the_pass_is_added_to() -> None:
    a = Value(3.0, "a")
    L = 2 * a
    L.label, a.grad = "L", 1.0
    assert explain(a, L).splitlines() == [
        "a.grad is 1.0: backward has not run from L, or was cleared since; it would add",
        "∂L/∂a = 2.0 = (via L) ∂L/∂a · L.grad",
        "            = 2.0 · 1.0",
        "  via L   L = 2·a   ∂L/∂a = 2   L.grad = 1.0   contributes 2.0",
    ]


def test_a_value_that_is_not_on_the_path() -> None:
    a, b = Value(1.0, "a"), Value(2.0, "b")
    L = a * 2
    L.label = "L"
    assert explain(b, L) == "b is not on the path: L is not made from it, so the gradient is 0"
    assert explain(L * 2, a).startswith("Value(data=4.0, grad=0.0) is not on the path: a")
    elsewhere = Value(3.0)
    assert explain(elsewhere, L).startswith("elsewhere is not on the path: L is not made from it")


def zero(value: Value, root: Value) -> list[str]:
    root.label = "L"
    value.grad = 0.0
    root.backward()
    assert value.grad == 0.0
    lines = explain(value, root).splitlines()
    return [line for line in lines if line.startswith("because")] or lines[-1:]


def test_why_a_gradient_is_zero() -> None:
    a, z = Value(2.0, "a"), Value(-1.5, "z")
    assert zero(z, z.relu() * 3) == [
        "because v1 = relu(z) is dead: ∂v1/∂z = [z > 0] = 0.0 at z = −1.5"
    ]
    assert zero(a, a.detach() * 3) == ["because v1 = detach(a) lets no gradient through"]
    assert zero(a, (a * 2).detach() * 3) == ["a.grad = 0: v2 = detach(v1) lets no gradient through"]
    assert zero(z, maximum(z, a) + 1) == ["because v1 = max(z, a) takes the other operand"]
    assert zero(a, a * 0) == ["because L = a·0 multiplies by 0.0"]
    assert zero(a, (a * 1000).tanh() + 1) == [
        "because v2 = tanh(v1) is flat at v1 = 2000.0: ∂v2/∂v1 = 1 − v2² = 0.0"
    ]
    assert zero(a, a - a) == ["because the contributions to a.grad cancel"]
    b = a * 5
    assert zero(a, (b - b) + 1) == ["because the contributions to v1.grad cancel"]
    assert zero(a, a * 1e-200 * 1e-200) == [
        "because ∂v1/∂a · upstream = 1e−200 · 1e−200 is below every float"
    ]


def test_the_first_nan_or_inf_is_named() -> None:
    x = Value(-1.0, "x")
    L = (x.log() * 2).tanh()
    L.backward()
    assert explain(x, L).splitlines()[-1] == (
        "the first nan of the forward pass: v1 = ln(x) = ln(−1) = nan"
    )
    y = Value(0.0, "y")
    L = y.sqrt() * 2
    L.backward()
    assert explain(y, L, names={}).splitlines()[-2:] == [
        "the first inf of the backward pass: ∂v1/∂y · v1.grad = inf · 2.0 = inf, in v1 =",
        "  √(y), with ∂v1/∂y = 0.5/v1",
    ]
    y = Value(0.0, "y")
    L = 1 / (y * y)  # an inf of the forward pass becomes a nan of the other
    L.label = "L"
    L.backward()
    assert explain(y, L).splitlines()[-3:] == [
        "the first inf of the forward pass: L = 1/v1 = 1/0 = inf",
        "the first nan of the backward pass: ∂v1/∂(1st y) · v1.grad = 0.0 · (−inf) = nan,",
        "  in v1 = y·y",
    ]
    z = Value(math.inf, "z")
    L = z * 2
    L.backward()
    text = explain(z, L)
    assert text.startswith("z.grad = 2.0")
    assert text.endswith("the first inf of the forward pass: z = inf, a leaf")
    w = Value(1.0, "w")
    L = w * z - w * z
    L.backward()
    assert explain(w, L).splitlines()[-2:] == [
        "the first inf of the forward pass: z = inf, a leaf",
        "the first nan of the forward pass: L = v1 − v2 = inf − inf = nan",
    ]
    v = Value(1.0, "v")
    L = 1e308 * v + 1e308 * v - 2e308
    L.label = "L"
    assert "the first inf of the forward pass: v3 = v1 + v2" in explain(v, L)
    u = Value(1e-300, "u")
    L = 1e308 * u + 1e308 * u
    L.backward()
    assert explain(u, L).splitlines()[-1] == (
        "the first inf of the backward pass: u.grad = 1e+308 + 1e+308 = inf"
    )
    t = Value(0.0, "t")
    L = t**0.5 - t**0.5
    L.label = "L"
    L.backward()
    for text in (explain(t, L), explain(L, L)):
        assert text.splitlines()[-3:] == [
            "the first inf of the backward pass: ∂v1/∂t · v1.grad = inf · 1.0 = inf, in v1 =",
            "  t^0.5, with ∂v1/∂t = 0.5·t^(−0.5)",
            "the first nan of the backward pass: t.grad = inf + (−inf) = nan",
        ]


def test_a_gradient_of_0_is_said_to_pass_0_on() -> None:
    told = "v1.grad is 0, which passes 0 on, not 0 · inf = nan"
    z = Value(0.0, "z")
    for L, said in [(z.sqrt() * 0, True), (z.sqrt(), False), (z.cos() * 0, False)]:
        L.backward()
        assert (told in explain(z, L).splitlines()) == said
        steps = [str(step) for step in Stepper(L)]
        assert [s for s in steps if "(a gradient of 0 passes 0 on)" in s] == said * steps[1:]


def test_a_local_derivative_of_0_before_an_inf_is_told() -> None:
    z, dead = Value(0.0, "z"), Value(-1.0, "dead")
    assert "0 · inf is nan here, where the local derivative is 0: a v1.grad of 0" in explain(
        z, (z * z).sqrt()
    )
    told = "v1 = relu(dead) passes 0 on to a branch not taken, not 0 · inf"
    assert told in explain(dead, dead.relu().sqrt())


def test_a_minus_on_the_way_of_one_use_of_several_is_told() -> None:
    x, y = Value(2.0, "x"), Value(3.0, "y")
    K = (-x) * (-y) + x
    K.label = "K"
    assert explain(x, K).splitlines()[0] == "K = −x·(−y) + x = 8.0"
    assert explain(x, K).splitlines()[-1] == (
        "v1.grad < 0: the minus is that of ∂v3/∂v1 = −3.0 (in v3 = v1·v2)"
    )
    assert "minus" not in explain(x, x * y + x)


def test_a_minus_is_told_where_it_comes_from() -> None:
    a, b = Value(2.0, "a"), Value(-3.0, "b")
    L = 5 - (a - b) * 2
    L.label = "L"
    L.backward()
    assert explain(a, L).splitlines()[-1] == "the minus is that of ∂L/∂v2 = −1.0 (in L = 5 − v2)"
    assert "the minus" not in explain(b, L)  # its gradient is 2
    c = 3 * -a
    c.backward()
    assert "minus" not in explain(a, c)  # ∂v1/∂a = −1 stands there anyway
    w = Value(4.0, "w")
    d = -((w * 3 + b) * 10)
    d.backward()
    assert explain(w, d).splitlines()[-1] == "the minus is that of ∂d/∂v3 = −1.0 (in d = −v3)"


def test_minuses_that_cancel_are_told() -> None:
    a = Value(2.0, "a")
    u = 3 - a
    L = 5 - u
    L.label, u.label = "L", "u"
    L.backward()
    assert explain(a, L).endswith(
        "\n2 minuses cancel: ∂u/∂a = −1.0 (in u = 3 − a), ∂L/∂u = −1.0 (in L = 5 − u)"
    )
    x, y = Value(0.5, "x"), Value(3.0, "y")
    f = 5 - (y - x * y)
    f.label = "f"
    f.backward()
    assert explain(x, f, names={}).splitlines()[-1] == (
        "2 minuses cancel: ∂v2/∂v1 = −1.0 (in v2 = y − v1), ∂f/∂v2 = −1.0 (in f = 5 − v2)"
    )
    M = 0 - (0 - (0 - a))
    M.label = "M"
    M.backward()
    assert explain(a, M, names={}).split("\n", 1)[1].splitlines()[-2:] == [
        "3 minuses, of which one is left: ∂v1/∂a = −1.0 (in v1 = 0 − a), ∂v2/∂v1 = −1.0",
        "  (in v2 = 0 − v1), ∂M/∂v2 = −1.0 (in M = 0 − v2)",
    ]
    N = 2 * a - 7  # two uses, from which on the minus comes
    K = N * N
    K.label, N.label = "K", "N"
    K.backward()
    assert explain(a, K).splitlines()[-1] == "the minus is that of N.grad = −6.0"


def test_a_derivative_is_written_out_first() -> None:
    x = Value(2.0, "x")
    for f, formula in [
        (lambda x: x * x * x, "v5 = x·x + x·x + x·x = 12.0"),
        (lambda x: x**3, "v1 = 3·x² = 12.0"),
        (lambda x: x.tanh(), "v1 = 1 − tanh(x)² = 0.07065"),
    ]:
        assert explain(x, grad(f)(x), names={}).splitlines()[0] == formula
    y, z = x * x, x.exp() * x
    y.label, z.label = "y", "z"
    assert explain(x, y, names={}).startswith("x.grad is 0.0")
    assert explain(x, z, names={}).startswith("z = exp(x)·x = 14.7781\nx.grad is 0.0")
    v = z.parents[0]
    assert explain(x, z, names={"v": v}).startswith("x.grad is 0.0")
    slope = grad(lambda x: x**3)(x)
    assert explain(x, slope).startswith("slope = 3·x² = 12.0\nx.grad is 0.0")
    wide = sum([x * i for i in range(2, 40)], x)
    assert explain(x, wide, names={}).startswith("x.grad is 0.0")


def test_equal_uses_are_a_product() -> None:
    x = Value(2.0, "x")
    slope = grad(lambda x: x * x * x)(x)
    slope.backward()
    assert explain(x, slope, names={"slope": slope}).splitlines() == [
        "slope = x·x + x·x + x·x = 12.0",
        "x.grad = 12.0 = 6 · x · 1.0, over 6 equal uses; the first:",
        "  via v1   v1 = x·x   ∂v1/∂(1st x) = x = 2.0   v1.grad = 1.0   contributes 2.0",
    ]
    a, b, c = Value(1.0, "a"), Value(3.0, "b"), Value(3.0, "c")
    for terms, told in [
        ([a * x for x in (b, c) * 3], "the sum over 6 uses"),  # the same number by another name
        ([a * x for x in (3, 2) * 3], "the sum over 6 uses"),
        ([a * 3 * x for x in (3, 2) * 3], "the sum over 6 uses"),
        ([a * x for x in (3, 3) * 3], "6 · 3.0 · 1.0, over 6 equal uses"),
        ([a * x for x in (3, 3) * 2], "(via v4) ∂v4/∂a"),  # few enough to write out
    ]:
        assert told in explain(a, sum(terms, Value(0.0)), names={})
    seeded = sum([a * b for _ in range(5)], Value(0.0))
    seeded.label = "s"
    seeded.backward(-2.0)
    a.grad += 1.0
    assert "a.grad = −29.0 = 5 · b · (−2.0) + 1.0, over" in explain(a, seeded)


def test_the_slope_of_a_slope_is_derived() -> None:
    x = Value(0.5, "x")
    slope = grad(lambda x: x.tanh())(x)
    derived = "from slope = 1 − tanh(x)² comes ∂slope/∂x = −2·tanh(x)·(1 − tanh(x)²)"
    assert explain(x, slope).splitlines()[-1] == derived
    for f in (lambda x: x**3, lambda x: x.exp()):
        assert "comes" not in explain(x, grad(f)(x))
    assert "comes" not in explain(x, x.tanh())


def test_a_saturated_slope_begins_as_another_does() -> None:
    for x in (0.5, 20.0):
        w = Value(x, "w")
        L = w.tanh()
        L.label = "L"
        assert ("∂L/∂w = 1 − L² = 4·exp(" in explain(w, L)) == (x == 20.0)
        assert ("∂L/∂w = 1 − L² = 4·exp(" in str(Stepper(L).next())) == (x == 20.0)
    assert "L = tanh(w) is nearly flat at w = 20.0: ∂L/∂w = 1 − L² = 4·exp(" in " ".join(
        explain(w, L).split()
    )


def test_in_the_middle_of_a_pass() -> None:
    names = graph()
    stepper = Stepper(names["L"], names=names)
    assert stepper.explain("a") == "a.grad is not complete: L, c to come\na.grad = 0.0 so far"
    stepper.next()
    assert stepper.explain("a").splitlines() == [
        "a.grad is not complete: c to come",
        "a.grad = 1.0 = (via L) ∂L/∂a · L.grad",
        "             = 1.0 · 1.0",
        "  via L   L = e + a   ∂L/∂a = 1   L.grad = 1.0   contributes 1.0",
    ]
    stepper.run()
    for name in "abcdeL":
        assert stepper.explain(name) == explain(names[name], names["L"], names=names)


def test_of_many_uses_the_largest_are_shown() -> None:
    a = Value(1.0, "a")
    L = Value(0.0)
    for i in range(100):
        L = L + a * (i % 50)
    L.backward()
    lines = explain(a, L).splitlines()
    assert lines[0] == "a.grad = 2450.0, the sum over 100 uses; the 10 largest:"
    shown = [x for line in lines for x in numbers(rf"contributes +{NUMBER}$", line)]
    assert sorted(shown) == [45.0, 45.0, 46.0, 46.0, 47.0, 47.0, 48.0, 48.0, 49.0, 49.0]


def test_the_largest_uses_are_those_of_the_largest_size() -> None:
    a = Value(1.0, "a")
    L = Value(0.0)
    for factor in (1, 2, -20, 3, 4, -5, 6, 7, 8, 9, 10, 11):
        L = L + a * factor
    L.backward()
    lines = explain(a, L).splitlines()
    shown = [x for line in lines for x in numbers(rf"contributes +{NUMBER}$", line)]
    assert sorted(shown) == [-20.0, -5.0, 3.0, 4.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0]


def test_paths_of_a_pass_under_way_are_those_of_the_steps_done() -> None:
    names = graph()
    stepper = Stepper(names["L"], names=names)
    assert stepper.explain("a", paths=True).splitlines()[-1] == "paths from L to a: 0"
    stepper.next()  # L = e + a, whose slope is 1
    assert stepper.explain("a", paths=True).splitlines()[-2:] == [
        "paths from L to a: 1",
        "  L → a   1.0 = 1.0",
    ]
    assert stepper.explain("b", paths=True).splitlines()[-1] == "paths from L to b: 0"


def test_many_paths_are_counted_and_the_first_shown() -> None:
    x = Value(1.0, "x")
    L = x
    for _ in range(10):
        L = L + L
    L.backward()
    lines = explain(x, L, paths=True).splitlines()
    more = ", all moved by it at once, so they add up"
    assert f"paths from L to x: 1,024, the first 20{more}" in lines
    assert sum("→" in line for line in lines) == 20
    for _ in range(2000):
        L = L + L
    assert "more than 1,000,000,000, the first 20" in explain(x, L, paths=True)


def test_a_long_path_is_shortened() -> None:
    x = Value(1.0, "x")
    L = x
    for _ in range(5000):
        L = L * 1.0
    line = explain(x, L, paths=True).splitlines()[-1]
    assert line.startswith("  L → v4999 → v4998 → v4997 → … → v3 → v2 → v1 → x   1.0 · ")


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError, match="explain takes a Value, got str: 'a'"):
        explain("a", Value(1.0))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a graph starts at a Value, got int: 1"):
        explain(Value(1.0), 1)  # type: ignore[arg-type]


# A graph that is older than its leaves.

STALE = [
    (lambda a: a * a, [2.0], [10.0], "a was 2.0 and is 10.0 now"),
    (lambda a: a**2, [-2.0], [10.0], "a was −2.0 and is 10.0 now"),
    (lambda a: (a * 3).tanh() + 1, [0.3], [5.0], "a was 0.3 and is 5.0 now"),
    (lambda a: abs(a), [-0.7], [30.0], "a was −0.7 and is 30.0 now"),
    (lambda a: a.sigmoid(), [0.25], [1.0], "a was 0.25 and is 1.0 now"),
    (lambda a, b: a / b, [7.0, 3.0], [7.0, 2.0], "b was 3.0 and is 2.0 now"),
    (lambda a, b: a * b, [2.0, 3.0], [10.0, 5.0], "a was 2.0 and is 10.0 now, b was 3.0"),
    (lambda a, b: a + b + a * 4, [2.0, 3.0], [10.0, 3.0], "a was 2.0 and is 10.0 now;"),
    (lambda a, b: a + b, [2.0, 3.0], [10.0, 3.0], "a or b has changed"),
    (lambda a: a.relu(), [-2.0], [10.0], "a has changed"),
    (lambda a, b: maximum(a, b), [-0.7, 2.0], [-3.0, 5.0], "a or b has changed"),
]


@pytest.mark.parametrize(("f", "old", "new", "told"), STALE)
def test_which_leaf_changed_is_said_and_the_numbers_are_those_of_the_graph(
    f: Any, old: list[float], new: list[float], told: str
) -> None:
    leaves = [Value(x, name) for x, name in zip(old, "ab", strict=False)]
    root = f(*leaves)
    root.label = "L"
    root.backward()
    before = [str(explain(leaf, root)) for leaf in leaves]
    drawn = draw(root, names={}).source
    for leaf, x in zip(leaves, new, strict=True):
        leaf.data = x
    for leaf, text in zip(leaves, before, strict=True):
        now = explain(leaf, root)
        assert now.startswith("the graph is older than its leaves")
        assert told in " ".join(now.split())
        if "or" not in told and "has changed" not in told:
            assert now.endswith(text)  # not a number has changed
    heading = draw(root, names={}).source
    assert "the graph is older than its leaves" in heading
    assert "older" not in drawn
    assert "the graph is older than its leaves" in repr(Stepper(root))
    assert "run the lines that compute L again" in " ".join(now.split())
    steps = list(Stepper(root))
    assert any("the graph is older than its leaves" in repr(step) for step in steps)


def test_what_changed_is_called_a_leaf_only_if_it_is_one() -> None:
    a = Value(1.0, "a")
    c = a * 3
    L = c + 1
    c.label, L.label = "c", "L"
    c.data = 7.0
    told = " ".join(explain(a, L).split())
    assert told.startswith("the graph is older than the data in it: c was 3.0 and is 7.0 now;")


def test_a_computed_node_that_was_given_a_number_is_named() -> None:
    """No leaf explains it; the number that another one must have had for that is not told."""
    a, b = Value(2.0, "a"), Value(3.0, "b")
    c = a * b
    L = c + a
    c.data = 100.0
    changes = changes_of(nodes_of(L))
    assert (changes.was, changes.unknown) == ({c: 6.0}, [])
    a.data = 5.0
    changes = changes_of(nodes_of(L))
    assert not changes.was
    assert set(changes.unknown[0]) == {a, b, c}
    square = b * b
    square.data = 50.0
    assert changes_of(nodes_of(square)).was == {square: 9.0}


def test_of_two_leaves_that_changed_each_is_found() -> None:
    a, b = Value(2.0, "a"), Value(3.0, "b")
    L = (a + b) * a
    a.data, b.data = 5.0, 7.0
    assert changes_of(nodes_of(L)).was == {a: 2.0, b: 3.0}


@pytest.mark.parametrize("seed", range(8))
def test_after_a_step_every_parameter_that_is_named_had_the_number_given(seed: int) -> None:
    model = MLP(2, [3, 1], activation="tanh", rng=random.Random(seed))
    loss = mse_loss(model([1.0, 2.0]), 0.5)
    loss.backward()
    before = {parameter: parameter.data for parameter in model.parameters()}
    SGD(model.parameters(), lr=0.1).step()
    changes = changes_of(nodes_of(loss))
    assert changes.was
    for parameter, old in changes.was.items():
        assert old == pytest.approx(before[parameter], rel=1e-9, abs=1e-12)
    named = {*changes.was}.union(*changes.unknown)
    assert named == {x for x, old in before.items() if x.data != old}


def test_a_picture_of_an_older_graph_has_both_numbers() -> None:
    a = Value(2.0, "a")
    L = a * 3
    a.data = 10.0
    source = draw(L).source
    assert "data\\ 2.0,\\ now\\ 10.0" in source
    assert "data\\ 6.0" in source
    b = Value(-1.0, "b")
    root = b.relu() * 3
    b.data = 4.0
    assert "data\\ ?,\\ now\\ 4.0" in draw(root).source


def test_a_leaf_set_by_the_stepper_leaves_nothing_older() -> None:
    a = Value(2.0, "a")
    L = a * 3
    a.data = 10.0
    stepper = Stepper(L)
    stepper.set(a, 10.0)
    assert "older" not in repr(stepper) + explain(a, L) + draw(L).source
    assert L.data == 30.0


@pytest.mark.parametrize("recipe", RECIPES[:60])
def test_nothing_is_said_to_have_changed_where_nothing_has(recipe: Recipe) -> None:
    nodes = nodes_of(recipe.build()[-1])
    assert not changes_of(nodes)


# Slopes that are flat, kinked, saturated or cut.


def told(value: Value, root: Value) -> str:
    root.label = "L"
    root.backward()
    return " ".join(explain(value, root).split())


def test_a_kink_is_no_flat_place() -> None:
    for f, sides in ((abs, "−1.0 below and 1.0 above"), (Value.relu, "0.0 below and 1.0 above")):
        a = Value(0.0, "a")
        assert f"has a kink at a = 0.0: its slope is {sides}, and there 0.0 is taken" in told(
            a, f(a) * 2
        )
    a = Value(3.0, "a")
    assert "kink" not in told(a, (a * 0).tanh())


@pytest.mark.parametrize("z", [20.0, 50.0, -50.0, 700.0])
def test_saturation_is_said_before_the_gradient_is_zero(z: float) -> None:
    a = Value(z / 2, "a")
    assert "is nearly flat at v1 = " in told(a, (a * 2).sigmoid() * 3 + 1)
    b = Value(0.5, "b")
    assert "flat" not in told(b, b.sigmoid() * 1e-9)


def test_a_way_cut_by_detach_is_said_also_when_another_remains() -> None:
    a = Value(2.0, "a")
    text = told(a, (a * 3).detach() * a)
    assert text.startswith("L = detach(a·3)·a = 12.0 a.grad = 6.0 = (via L)")
    assert text.endswith("not counted: v2 = detach(v1) lets no gradient through")
    assert "not counted" not in told(a, a * a)


@pytest.mark.parametrize("z", [-800, -40, -9.5, -2, 0, 0.3, 3, 7, 9.5, 18, 40, 300])
@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_the_formula_of_a_slope_gives_its_number_from_those_that_are_shown(
    name: str, z: float
) -> None:
    a = Value(z, "a")
    L = OPS[name](a)
    shown = {n: float(number(x).replace("−", "-")) for n, x in (("a", a.data), ("L", L.data))}
    [c] = next(iter(Stepper(L))).contributions
    text = str(c.formula).replace("·", "*").replace("²", "**2").replace("−", "-")
    text = text.replace("|a|", "abs(a)")
    given = eval(text, {"exp": math.exp, "abs": abs}, shown)
    assert given == pytest.approx(c.local, rel=0.03)


def test_the_variables_of_the_caller_name_the_nodes() -> None:
    speed = Value(2.0)
    energy = 0.5 * speed**2
    assert "speed.grad" in explain(speed, energy)
    assert list(Stepper(energy).names.values()) == ["speed", "v1", "energy"]
    assert "|data\\ 2.0|" in draw(energy).source
    assert r"energy\ =\ 0.5·v1|" in draw(energy).source
    assert "speed" not in explain(speed, energy, names={})


def test_lines_take_no_more_than_80_columns() -> None:
    weight, distance, temperature = Value(1.23456), Value(-17.98765), Value(0.000123456)
    product = weight * distance
    energy = (product * temperature).tanh() + product / weight + weight * temperature
    energy.backward()
    for leaf in (weight, distance, temperature, product):
        assert max(map(len, explain(leaf, energy).splitlines())) <= 80
    for step in Stepper(energy):
        assert max(map(len, repr(step).splitlines())) <= 80


def test_a_nan_that_an_inf_led_to_is_told_after_it() -> None:
    n = Value(0.0, "n")
    m = n.log() * n
    m.label = "m"
    m.backward()
    told = [
        "the first inf of the forward pass: v1 = ln(n) = ln(0) = −inf",
        "the first nan of the forward pass: m = v1·n = −inf·0 = nan",
    ]
    assert explain(m, m).splitlines()[2:] == told


def test_arguments_in_the_other_order_are_noticed() -> None:
    a = Value(2.0, "a")
    L = a * 3
    L.label = "L"
    assert explain(L, a).splitlines()[1:] == [
        "it is made from a: what is explained goes first, explain(a, …)"
    ]
