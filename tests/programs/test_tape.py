"""The tape: what its lines are, and what is left out of them."""

from __future__ import annotations

import gc
import math
import random

import pytest

from micrograd_like import ops
from micrograd_like.engine import Value
from micrograd_like.graph import nodes_of
from micrograd_like.operation import OPS, Op, register
from micrograd_like.programs.lowering import NONE, ONE
from micrograd_like.programs.tape import Line, Tape
from tests.support.programs import recipe_build
from tests.support.random_graphs import random_recipe


def test_values_come_before_their_derivatives() -> None:
    a, x = Value(3.0, "a"), Value(2.0, "x")
    out = (a * x + 1).tanh()
    out.label = "out"
    assert str(Tape([out], [x], [a])).splitlines() == [
        "%0 = parameter 0  # a",
        "%1 = input 0  # x",
        "%2 = mul %0 %1",
        "%3 = add %2 1.0",
        "%4 = tanh %3  # out",
        "%5 = tanh_prime %3",
        "%6 = mul %5 %1",
        "output 0: %4",
        "gradient 0: %6",
    ]


def random_graph(seed: int) -> tuple[list[Value], list[Value], list[Value]]:
    recipe = random_recipe(random.Random(seed))
    leaves = [Value(x) for x in recipe.leaves]
    inputs = seed % 3
    roots = recipe_build([recipe], [inputs])(leaves[inputs:], leaves[:inputs])
    return roots, leaves[:inputs], leaves[inputs:]


@pytest.mark.parametrize("seed", range(50))
def test_columns_hold_what_the_docstring_says(seed: int) -> None:
    tape = Tape(*random_graph(seed))
    leaves = tape.parameters + tape.inputs
    assert tape.operand(ONE) == 1.0
    assert len({str(x) for x in tape.constants}) == len(tape.constants)
    columns = zip(tape.names, tape.left, tape.right, tape.origins, strict=True)
    for number, (name, a, b, _) in enumerate(columns):
        assert (name == "") == (number < leaves)
        keys = tape.keys(number)
        assert len(keys) == (len(tape.ops[name].partials) if name else 0)
        assert keys == [key for key in (a, b) if key != NONE]
        assert all(-2 - len(tape.constants) < key < number for key in keys)
        changes = (
            number >= tape.parameters if not name else any(tape.by_row[k] for k in keys if k >= 0)
        )
        assert tape.by_row[number] == changes == tape.lines[number].by_row
    assert {tape.names[line] for line in tape.contributions} <= {"mul", "gate"}
    assert tape.contributions == sorted({*tape.contributions})


def test_a_contribution_is_no_other_product() -> None:
    a, b, x = Value(3.0), Value(4.0), Value(2.0)
    tape = Tape([(a * x) * b + b * x], [x], [a, b])
    [line] = tape.contributions
    assert tape.keys(line) == [1, 2]  # b · x, which is another line as a value
    assert tape.names.count("mul") == 4


@pytest.mark.parametrize("seed", range(50))
def test_passages_say_where_the_numbers_of_a_node_are(seed: int) -> None:
    roots, inputs, parameters = random_graph(seed)
    tape = Tape(roots, inputs, parameters, follow=True)
    values: list[float] = [leaf.data for leaf in (*parameters, *inputs)]
    for op, operands, _, _ in tape.lines[len(values) :]:
        assert op is not None
        values.append(op(*[values[x] if type(x) is int else x for x in operands]))

    def shown(x: int | float) -> float:
        return values[x] if type(x) is int else x

    roots[0].backward()
    nodes = nodes_of(*roots)
    assert len(nodes) == len(tape.passages)
    for node, passage in zip(nodes, tape.passages, strict=True):
        assert str(shown(passage.value)) == str(node.data)
        found = sum(map(shown, passage.gradient))
        if passage.gradient:
            assert str(found + 0.0) == str(node.grad + 0.0)
        slopes = [x for x, y in zip(passage.slopes, node.operands, strict=True) if type(y) is Value]
        for slope, number in zip(slopes, node.local_grads, strict=True):
            assert slope is None or str(shown(slope)) == str(number)
        for slope, contribution in zip(passage.slopes, passage.contributions, strict=True):
            assert (slope is None) == (contribution is None)


def test_contributions_keep_the_order_of_backward() -> None:
    a, x = Value(3.0), Value(2.0)
    tape = Tape([a * x + a * 5.0 + a], [x], [a])
    assert tape.gradients == [[1.0, 1, 5.0]]


def test_a_line_is_written_once() -> None:
    a, x = Value(3.0), Value(2.0)
    tape = Tape([(a * x).exp() + (a * x).exp()], [x], [a])
    names = [line.op.name for line in tape.lines if line.op]
    assert names == ["mul", "exp", "add", "mul"]


def test_shared_lines_keep_their_own_derivatives() -> None:
    # (g₁ + g₂)·x and g₁·x + g₂·x are two numbers; the engine adds the second.
    a, x = Value(3.0), Value(2.0)
    tape = Tape([(a * x) * 0.1 + (a * x) * 0.7], [x], [a])
    assert len(tape.gradients[0]) == 2


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_zeros_of_both_signs_stay_apart(zero: float) -> None:
    a = Value(1.0)
    tape = Tape([(a * 0.0) + (a * -0.0)], [], [a], differentiate=False)
    assert Line(ops.mul, (0, zero), False) in tape.lines


def test_constants_are_folded_by_the_rules_of_ieee() -> None:
    x = Value(2.0)
    constant = (Value(2.0) * 3.0) / 0.0
    tape = Tape([x + constant, constant], [x], [])
    assert str(tape.lines[1]) == str(Line(ops.add, (0, math.inf), True))
    assert tape.outputs == [1, math.inf]


def test_constants_are_folded_where_ordinary_python_raises() -> None:
    op = register(Op("inverse", "1/", lambda a: 1.0 / a, (lambda a, out: -out * out,)))
    try:
        x = Value(2.0)
        assert Tape([op(Value(0.0)) + x], [x], []).lines[-1].operands == (math.inf, 0)
    finally:
        del OPS["inverse"]


@pytest.mark.parametrize(
    ("expression", "lines"),
    [
        (lambda a: a * 1.0, []),
        (lambda a: 1.0 * a, []),
        (lambda a: a**1, []),
        (lambda a: a**0, []),
        (lambda a: a.detach(), []),
        (lambda a: a * 2.0, ["mul"]),
        (lambda a: a + 0.0, ["add"]),  # −0.0 + 0.0 is 0.0
        (lambda a: 0.0 * a, ["mul"]),  # of nan it is nan
    ],
)
def test_what_changes_nothing_is_left_out(expression: object, lines: list[str]) -> None:
    a = Value(3.0)
    tape = Tape([expression(a)], [], [a])  # type: ignore[operator]
    assert [line.op.name for line in tape.lines if line.op] == lines


def test_a_constant_exponent_needs_no_slope_of_powers() -> None:
    a = Value(3.0)
    for exponent, lines in ((2.0, ["pow", "mul"]), (1.5, ["pow", "pow", "mul"])):
        tape = Tape([a**exponent], [], [a])
        assert [line.op.name for line in tape.lines if line.op] == lines
    tape = Tape([a**0.1], [], [a])  # 0.1 − 1 is rounded
    assert tape.lines[-1].op is ops.power_slope


def test_the_branch_not_taken_needs_no_lines() -> None:
    a, x = Value(3.0), Value(2.0)
    tape = Tape([a.exp().detach() * x + ops.step(a.log())], [x], [a])
    assert tape.gradients == [[]]


def test_only_what_is_needed() -> None:
    a, b, x = Value(3.0), Value(4.0), Value(2.0)
    tape = Tape([a * x, b.exp()], [x], [a, b], differentiate=False)
    assert tape.needed(tape.outputs[:1]) == [0, 2, 3]
    assert tape.needed(tape.outputs) == [0, 1, 2, 3, 4]


def test_lines_know_whether_they_depend_on_rows() -> None:
    a, x = Value(3.0), Value(2.0)
    tape = Tape([a * a + x], [x], [a])
    assert [line.by_row for line in tape.lines] == [False, True, False, True]


def test_forward_functions_that_are_expressions_are_read() -> None:
    p, t = Value(0.25), Value(1.0)
    names = {line.op.name for line in Tape([ops.bce(p, t)], [t], [p]).lines if line.op}
    assert "bce" not in names
    assert {"log", "log1p", "maximum"} <= names


@pytest.mark.parametrize(
    "forward",
    [
        math.erf,
        lambda a: a if a > 0.0 else 0.0,
        lambda a: 0.0 if a == 1.0 else a,
        lambda a: a if a != 1.0 else 0.0,
        lambda a: a or 1.0,
        lambda a: a.hex(),
    ],
)
def test_forward_functions_that_are_ordinary_python_stay_whole(forward: object) -> None:
    partials = (lambda a, out: 2.0 * a,)
    op = Op("own", "own", forward, partials)  # type: ignore[arg-type]
    OPS["own"] = Op("own", "own", abs, partials)
    try:
        a = Value(3.0)
        out = OPS["own"](a)
        OPS["own"] = op
        tape = Tape([out], [], [a])
        assert tape.lines[1].op is op
        assert tape.unsupported({"mul"}.__contains__) == ["own"]
    finally:
        del OPS["own"]


def test_a_graph_may_go_when_its_tape_is_made() -> None:
    gc.disable()
    try:
        before = len(gc.get_objects())
        tapes = [Tape([Value(2.0).tanh() * Value(3.0)], [], []) for _ in range(100)]
        assert all(not any(type(x) is Value for x in vars(tape).values()) for tape in tapes)
        del tapes
        assert len(gc.get_objects()) - before < 50
    finally:
        gc.enable()


def test_lines_grow_with_the_graph() -> None:
    def lines(count: int) -> int:
        a = Value(1.0001)
        total = a
        for _ in range(count):
            total = total * a
        return len(Tape([total], [], [a]).lines)

    assert lines(20_000) - 1 == pytest.approx(10 * (lines(2_000) - 1), rel=1e-2)


def test_a_line_has_the_label_of_any_node_that_it_computes() -> None:
    a, x = Value(2.0, label="a"), Value(3.0)
    first, second = (a * x).log(), (a * x).log()
    second.label = "v"
    tape = Tape([first + second], [x], [a])
    assert tape.labels == {0: "a", 3: "v"}
    assert tape.lines[3].op is ops.log
    one = a * 1.0  # which is no line of its own, so that the parameter's name stays
    one.label = "b"
    assert Tape([one + x], [x], [a]).labels == {0: "a"}
