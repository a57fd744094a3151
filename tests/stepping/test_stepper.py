from __future__ import annotations

import math
import random
import re
from dataclasses import FrozenInstanceError
from typing import NamedTuple

import pytest

from micrograd_like import AnomalyError, Value
from micrograd_like.graph import nodes_of
from micrograd_like.operation import detect_anomaly
from micrograd_like.stepping.stepper import ForwardStepper, Stepper
from micrograd_like.stepping.steps import table
from tests.support.random_graphs import Recipe, bits, grad_bits, random_recipe

RECIPES = [random_recipe(random.Random(seed)) for seed in range(200)]


def everything(nodes: list[Value]) -> bytes:
    slopes = [slope for node in nodes for slope in node.local_grads]
    return bits([node.data for node in nodes] + slopes) + grad_bits(nodes)


class Diamond(NamedTuple):
    a: Value
    b: Value
    c: Value
    L: Value


def diamond() -> Diamond:
    """L = tanh(c)·c + a with c = a·b: a and c are used twice."""
    a, b = Value(0.5, "a"), Value(-2.0, "b")
    c = a * b
    c.label = "c"
    L = c.tanh() * c + a
    L.label = "L"
    return Diamond(a, b, c, L)


@pytest.mark.parametrize("recipe", RECIPES)
def test_stepping_to_the_end_gives_the_bits_of_backward(recipe: Recipe) -> None:
    expected, nodes = recipe.build(), recipe.build()
    expected[-1].backward()
    for _ in range(2):  # the second time there are gradients already
        Stepper(nodes[-1]).run()
        assert grad_bits(nodes) == grad_bits(expected)


@pytest.mark.parametrize("recipe", RECIPES[:50])
def test_restore_puts_back_what_was_there_and_a_step_begins_anew(recipe: Recipe) -> None:
    nodes = recipe.build()
    nodes[-1].backward(3.0)
    before = grad_bits(nodes)
    stepper = Stepper(nodes[-1])
    first = stepper.next()
    after = grad_bits(nodes)
    stepper.restore()
    assert (stepper.position, grad_bits(nodes)) == (0, before)
    assert repr(stepper.next()) == repr(first)
    assert grad_bits(nodes) == after


@pytest.mark.parametrize("recipe", RECIPES)
def test_any_sequence_ends_in_the_state_of_its_position(recipe: Recipe) -> None:
    rng = random.Random(1)
    nodes = recipe.build()
    for leaf in nodes[:3]:
        leaf.grad = rng.choice((0.0, -0.0, 1.25, -3.1, 1e17, math.inf))
    stepper = Stepper(nodes[-1])
    states = [grad_bits(nodes)]
    states += [grad_bits(nodes) for _ in stepper]
    assert len(states) == len(stepper) + 1
    for _ in range(200):
        before = stepper.position
        if rng.random() < 0.1:
            stepper.goto(rng.randint(0, len(stepper)))
        elif rng.random() < 0.5:
            stepper.next()
            assert stepper.position == min(before + 1, len(stepper))
        else:
            stepper.back()
            assert stepper.position == max(before - 1, 0)
        assert grad_bits(nodes) == states[stepper.position]
    stepper.reset()
    assert (stepper.position, grad_bits(nodes)) == (0, states[0])


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_formula_equals_its_number(recipe: Recipe) -> None:
    root = recipe.build()[-1]
    stepper = Stepper(root)
    numbers = {name: node.data for node, name in stepper.names.items()}
    for step in stepper:
        for c in step.contributions:
            assert bits([c.formula.evaluate(numbers)]) == bits([c.local])


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_step_is_the_chain_rule(recipe: Recipe) -> None:
    for step in Stepper(recipe.build()[-1]):
        assert len(step.contributions) == len(step.node.parents)
        for c in step.contributions:
            assert c.operand is step.node.operands[c.position]
            product = c.local * step.upstream
            nothing = c.amount == 0.0 and 0.0 in (c.local, step.upstream)
            assert nothing or bits([c.amount]) == bits([product])
            if math.isfinite(c.after) and c.operand.op:
                assert c.after == c.before + c.amount


@pytest.mark.parametrize("recipe", RECIPES)
def test_setting_a_leaf_gives_what_a_rebuilt_graph_gives(recipe: Recipe) -> None:
    rng = random.Random(2)
    nodes = recipe.build()
    stepper = Stepper(nodes[-1])
    leaves = [node for node in nodes_of(nodes[-1]) if not node.op]
    numbers = list(recipe.leaves)
    for _ in range(5):
        leaf = rng.choice(leaves)
        number = rng.choice((rng.gauss(0.0, 2.0), 0.0, -0.0, math.inf, math.nan, 1e200))
        numbers[nodes.index(leaf)] = number
        position = rng.randint(0, len(stepper))
        stepper.goto(position)
        stepper.set(leaf, number)
        rebuilt = recipe.build(numbers)
        Stepper(rebuilt[-1]).goto(position)
        reached = nodes_of(nodes[-1])
        assert everything(reached) == everything(nodes_of(rebuilt[-1]))
        assert stepper.position == position


@pytest.mark.parametrize("recipe", RECIPES)
def test_forward_steps_compute_what_building_computes(recipe: Recipe) -> None:
    nodes = recipe.build()
    reached = nodes_of(nodes[-1])
    as_built = everything(reached)
    stepper = ForwardStepper(nodes[-1])
    for step in stepper:
        assert bits([step.before]) == bits([step.after])
    assert everything(reached) == as_built
    nodes[0].data = 7.25
    rebuilt = recipe.build([7.25, *recipe.leaves[1:]])
    stepper.reset()
    assert list(stepper)[-1].after == rebuilt[-1].data or rebuilt[-1].data != rebuilt[-1].data
    assert everything(reached) == everything(nodes_of(rebuilt[-1]))
    stepper.reset()
    nodes[0].data = recipe.leaves[0]
    assert everything(reached) == as_built


def test_the_line_of_a_step() -> None:
    e = Value(1.0, "e")
    L = e.tanh()
    L.label = "L"
    assert str(Stepper(L).next()).splitlines() == [
        "L.grad = ∂L/∂L = 1 at the start",
        "L = tanh(e):  ∂L/∂e = 1 − L² = 0.4200   e.grad += 1.0 · 0.4200   0.0 → 0.4200",
    ]


def test_before_the_first_step_stands_what_a_reader_needs() -> None:
    a, c = Value(2.0, "a"), Value(0.5)
    L = (a * Value(-3.0) + c).tanh()
    L.label = "L"
    stepper = Stepper(L, names={"seen": c})
    first, *more = [str(step).splitlines()[0] for step in stepper]
    assert first == (
        "L.grad = ∂L/∂L = 1 at the start; then each node after all that use it; v1 is a"
    )
    stepper.reset()
    assert str(stepper.peek()).splitlines()[1] == "  leaf, v2 = a·v1, v3 = v2 + seen"
    assert all("at the start" not in line for line in more)
    stepper.reset()
    assert first in str(stepper.peek())
    unnamed = " ".join(str(Stepper(L * 2, names={}).next()).split())
    assert "v3 is a leaf, v4 = v2 + v3, v5 = L·2 v5 = L·2: ∂v5/∂L = 2" in unnamed
    chain = a
    for _ in range(30):
        chain = chain * 2
    long = str(Stepper(chain, names={}).next()).splitlines()
    assert "use it; v1 = a·2, v2 = v1·2, " in " ".join(" ".join(long).split())
    assert " v19 = v18·2, v20 = v19·2 and 10 more v30 = v29·2: " in " ".join(" ".join(long).split())
    assert all(len(line) <= 80 for line in long)


def test_a_step_with_two_operands_has_aligned_lines() -> None:
    stepper = Stepper(diamond().c)
    assert str(stepper.next()).splitlines()[1:] == [
        "c = a·b:  ∂c/∂a = b = −2.0   a.grad += 1.0 · −2.0   0.0 → −2.0",
        "          ∂c/∂b = a =  0.5   b.grad += 1.0 ·  0.5   0.0 →  0.5",
    ]


def test_one_operand_twice_is_told_apart() -> None:
    a = Value(3.0, "a")
    c = a / a
    c.label = "c"
    assert str(Stepper(c).next()).splitlines()[1:] == [
        "c = a/a:",
        "  ∂c/∂(1st a) = 1/a  =  0.3333   a.grad += 1.0 ·  0.3333   0.0    → 0.3333",
        "  ∂c/∂(2nd a) = −c/a = −0.3333   a.grad += 1.0 · −0.3333   0.3333 → 0.0",
    ]


def test_a_plain_number_is_an_operand_without_a_gradient() -> None:
    a = Value(4.0, "a")
    c = 2 * a
    c.label = "c"
    step = Stepper(c).next()
    assert step is not None
    assert str(step).endswith("\nc = 2·a:  ∂c/∂a = 2   a.grad += 1.0 · 2.0   0.0 → 2.0")
    assert [c.position for c in step.contributions] == [1]


def test_a_branch_not_taken_passes_nothing_back_even_from_inf() -> None:
    z = Value(-1.0, "z")
    r = z.relu()
    r.label = "r"
    stepper = Stepper(r.log(), names={"L": r})
    stepper.next()
    assert r.grad == math.inf
    sums, remark = str(stepper.next()).splitlines()
    assert sums.endswith("inf · 0.0   0.0 → 0.0")
    assert remark.strip() == "(branch not taken)"


def test_a_remark_leaves_the_columns_as_they_are() -> None:
    w, x = Value(math.inf, "w"), Value(1.5, "x")
    stepper = Stepper(((w * x).sigmoid() - 1) ** 2, names={})
    lines = "\n".join(table(list(stepper))).splitlines()
    assert lines.pop().strip() == "(a gradient of 0 passes 0 on)"  # no room is left in its line
    assert len({line.index("→") for line in lines}) == 1
    assert not re.search(r"· {6}", "\n".join(lines))


def test_a_pass_starts_from_zero_and_says_where_the_old_gradients_went() -> None:
    a = Value(3.0, "a")
    L = a * a
    L.backward()
    stepper = Stepper(L)
    assert (a.grad, L.grad) == (0.0, 1.0)
    assert stepper.before == {a: 6.0, L: 1.0}
    assert "an earlier pass left a.grad = 6.0" in repr(stepper)
    step = stepper.next()
    assert step is not None
    assert [(c.before, c.after) for c in step.contributions] == [(0.0, 3.0), (3.0, 6.0)]


def test_left_over_gradients_of_nodes_between_are_gone_at_the_start() -> None:
    nodes = diamond()
    nodes.L.backward()
    Stepper(nodes.L)
    assert nodes.c.grad == 0.0


def test_a_root_that_is_a_leaf_has_no_steps() -> None:
    a = Value(3.0)
    a.grad = 2.0
    stepper = Stepper(a)
    assert (len(stepper), stepper.next(), stepper.back(), stepper.run()) == (0, None, None, None)
    assert a.grad == 1.0


def test_records_are_immutable_and_survive_going_back() -> None:
    nodes = diamond()
    stepper = Stepper(nodes.L)
    first = stepper.next()
    assert first is not None
    text = str(first)
    assert stepper.back() == first
    stepper.set(nodes.a, 9.0)
    assert str(first) == text
    with pytest.raises(FrozenInstanceError):
        first.upstream = 2.0  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        first.contributions[0].after = 2.0  # type: ignore[misc]


def test_run_stops_when_the_gradient_is_complete() -> None:
    a, b, c, L = diamond()
    L.backward()
    expected = {node: node.grad for node in (a, b, c)}
    for node, until in ((c, c), (c, "c"), (a, "a"), (b, b)):
        for leaf in (a, b):
            leaf.grad = 0.0
        stepper = Stepper(L)
        seen = [node.grad]
        while stepper.position < stepper.ready(node):
            seen.append(node.grad)
            stepper.next()
        stepper.reset()
        stepper.run(until)
        assert node.grad == expected[node]
        stepper.back()
        assert node.grad != expected[node]  # not a step too late


def test_a_label_is_found_as_it_was_given() -> None:
    a, b = Value(1.0, "two\nlines"), Value(2.0, "x" * 100)
    stepper = Stepper(a * b)
    assert stepper.find("two\nlines") is stepper.find(r"two\nlines") is a
    assert stepper.find("x" * 100) is b


def test_run_returns_the_last_step() -> None:
    nodes = diamond()
    stepper = Stepper(nodes.L)
    last = stepper.run()
    assert last is not None
    assert last.node is nodes.c
    assert stepper.run() is None
    assert stepper.run(until=nodes.L) is None


def test_iteration_goes_on_from_the_position() -> None:
    stepper = Stepper(diamond().L)
    stepper.next()
    assert (len(list(stepper)), list(stepper)) == (len(stepper) - 1, [])


def test_peek_changes_nothing() -> None:
    *nodes, L = diamond()
    stepper = Stepper(L)
    for _ in range(len(stepper)):
        before = grad_bits([*nodes, L])
        seen = stepper.peek()
        assert (stepper.position, grad_bits([*nodes, L])) == (stepper.position, before)
        assert stepper.next() == seen
    assert stepper.peek() is None


def test_states_through_a_pass() -> None:
    a, b, c, L = diamond()
    stepper = Stepper(L)
    assert [stepper.state(x) for x in ("L", "c", "a", "b")] == [
        "next",
        "waits for v2, v1",
        "waits for L, c",
        "waits for c",
    ]
    stepper.run(until=c)
    assert [stepper.state(x) for x in (L, c, a)] == ["passed on", "next", "waits for c"]
    stepper.next()
    assert [stepper.state(x) for x in (c, a, b)] == ["passed on", "complete", "complete"]


def test_what_lies_behind_detach_is_detached() -> None:
    a = Value(2.0, "a")
    stepper = Stepper((a * 3).detach() * 5)
    assert [stepper.state(node) for node in stepper.names] == [
        "detached", "detached", "waits for v3", "next",
    ]  # fmt: skip
    a.grad = 4.0
    stepper.set(a, 3.0)
    assert stepper.root.data == 45.0
    stepper.run()
    assert a.grad == 4.0


@pytest.mark.parametrize("missing", ["q", Value(1.0)])
def test_a_node_that_is_not_in_the_graph_is_refused(missing: str | Value) -> None:
    stepper = Stepper(diamond().L)
    for refuse in (stepper.run, stepper.explain, stepper.state, lambda x: stepper.set(x, 1.0)):
        with pytest.raises(ValueError, match=r"a, b, c|is not in the graph of L"):
            refuse(missing)
    assert stepper.position == 0


def test_bad_input_is_named_and_changes_nothing() -> None:
    a, b, c, L = diamond()
    stepper = Stepper(L)
    before = everything([a, b, c, L])
    with pytest.raises(ValueError, match=r"c = a·b is computed: only a leaf can be set"):
        stepper.set("c", 1.0)
    for position in (-1, 5, 1.5):
        with pytest.raises(ValueError, match=f"the positions are 0 to 4, got {position}"):
            stepper.goto(position)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"got str: '3'"):
        stepper.set("a", "3")
    with pytest.raises(TypeError, match=r"got int: 3"):
        stepper.run(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"a graph starts at a Value, got float: 1\.0"):
        Stepper(1.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"names maps names to Values.*got list: \['a'\]"):
        Stepper(L, names=["a"]).names  # type: ignore[arg-type]  # noqa: B018
    assert everything([a, b, c, L]) == before


def test_an_anomaly_leaves_the_position_and_all_numbers() -> None:
    a, b, c, L = diamond()
    stepper = Stepper(L)
    stepper.next()
    before = everything([a, b, c, L])
    with detect_anomaly(), pytest.raises(AnomalyError, match="mul of"):
        stepper.set("a", math.inf)
    assert (stepper.position, everything([a, b, c, L])) == (1, before)

    y = Value(1.0, "y")
    root = (y * 2).exp() + y
    stepper = Stepper(root)
    before = everything(nodes_of(root))
    with detect_anomaly(), pytest.raises(AnomalyError, match="exp of"):
        stepper.set(y, 1000.0)  # the product, which comes first, has its new number by then
    assert everything(nodes_of(root)) == before

    x = Value(0.0, "x")
    root = x.sqrt() * 2
    stepper = Stepper(root)
    stepper.next()
    with detect_anomaly(), pytest.raises(AnomalyError, match="sqrt of"):
        stepper.next()
    assert (stepper.position, x.grad) == (1, 0.0)
    assert str(stepper.next()).endswith("0.0 → inf")


@pytest.mark.long
def test_a_deep_chain() -> None:
    x = Value(1.0, "x")
    root = x
    for _ in range(20_000):
        root = root + x
    stepper = Stepper(root)
    assert "20001.0" in repr(ForwardStepper(root).run())
    stepper.run()
    assert x.grad == 20_001.0
    stepper.set(x, 2.0)
    assert root.data == 40_002.0
    stepper.reset()
    assert x.grad == 0.0


def test_two_steppers_name_the_same_nodes_alike() -> None:
    L = diamond().L
    assert list(Stepper(L).names.values()) == list(ForwardStepper(L).names.values())


def test_repr_says_where_it_stands() -> None:
    L = diamond().L
    stepper = Stepper(L)
    stepper.next()
    assert repr(stepper).splitlines() == [
        "Stepper: 1 of 4 steps done",
        "   1  L = v2 + a     L.grad = 1.0",
        "-> 2  v2 = v1·c      v2.grad = 1.0",
        "   3  v1 = tanh(c)   v1.grad = 0.0",
        "   4  c = a·b        c.grad = 0.0",
    ]
    stepper.run()
    assert "->" not in repr(stepper)
    assert "<td" in stepper._repr_html_()


def test_forward_steps_are_written_with_their_numbers() -> None:
    L = diamond().L
    assert [str(step) for step in ForwardStepper(L)] == [
        "c = a·b = 0.5·(−2) = −1.0",
        "v1 = tanh(c) = tanh(−1) = −0.7616",
        "v2 = v1·c = −0.7616·(−1) = 0.7616",
        "L = v2 + a = 0.7616 + 0.5 = 1.2616",
    ]
    stepper = ForwardStepper(L)
    stepper.run(until="c")
    assert stepper.position == 1
