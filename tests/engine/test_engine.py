"""The operands and results of a Value, and the promises of `backward`."""

from __future__ import annotations

import copy
import inspect
import itertools
import math
import pickle
import weakref
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from micrograd_like.engine import Value, topological_order
from micrograd_like.operation import OPS, Operators, evaluate

INF, NAN = math.inf, math.nan
NUMBERS = (0.0, -0.0, 1.0, -1.0, 0.1, -2.5, 3.0, 49.0, 5e-324, 1e200, -1e200, INF, -INF, NAN)


class Rounded(float):
    """A float of a kind of its own, as numpy's are."""


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (2, "2.0"),
        (-0.0, "-0.0"),
        (True, "1.0"),
        (Fraction(1, 3), "0.3333333333333333"),
        (Rounded(0.5), "0.5"),
        (2**53 + 1, "9007199254740992.0"),
        (NAN, "nan"),
        (-INF, "-inf"),
    ],
)
def test_data_grad_and_seed_are_stored_as_floats(given: Any, stored: str) -> None:
    a, b = Value(given), Value(0.0)
    b.data = given
    b.grad = given
    numbers = [a.data, b.data, b.grad, float(a)]
    assert [type(x) for x in numbers] == [float] * 4
    assert [repr(x) for x in numbers] == [stored] * 4
    leaf = Value(1.0)
    leaf.backward(given)
    assert repr(leaf.grad) == repr(0.0 + float(stored))


@pytest.mark.parametrize("wrong", ["1", None, 1j, Decimal(1), [1.0], (1.0,), b"1", Value(1.0)])
def test_anything_else_is_a_type_error_that_names_it_and_changes_nothing(wrong: Any) -> None:
    a = Value(3.0, "a")
    a.grad = 4.0
    message = f"expected a real number, got {type(wrong).__name__}: "
    for attempt in (
        lambda: Value(wrong),
        lambda: setattr(a, "data", wrong),
        lambda: setattr(a, "grad", wrong),
        lambda: (a * 2.0).backward(wrong),
    ):
        with pytest.raises(TypeError, match=message):
            attempt()
    assert repr(a) == "Value(data=3.0, grad=4.0, label='a')"


def test_a_number_too_large_for_a_float() -> None:
    a = Value(3.0)
    for attempt in (
        lambda: Value(10**400),
        lambda: setattr(a, "data", 10**400),
        lambda: a + 10**400,
        lambda: 10**400 * a,
    ):
        with pytest.raises(OverflowError):
            attempt()
    assert a.data == 3.0


@pytest.mark.parametrize("wrong", ["1", None, 1j, Decimal(1), [1.0]])
def test_operators_leave_other_operands_to_python(wrong: Any) -> None:
    a: Any = Value(3.0)
    attempts: list[Callable[[], Any]] = [
        lambda: a + wrong,
        lambda: wrong - a,
        lambda: a * wrong,
        lambda: wrong / a,
        lambda: a**wrong,
    ]
    for attempt in attempts:
        with pytest.raises(TypeError, match=r"\bValue'"):
            attempt()


def test_other_classes_may_answer_for_a_value() -> None:
    class Answer:
        def __radd__(self, other: Any) -> str:
            return "radd"

        __rsub__ = __rmul__ = __rtruediv__ = __rpow__ = __radd__

    answer: Any = Answer()
    a: Any = Value(1.0)
    assert {a + answer, a - answer, a * answer, a / answer, a**answer} == {"radd"}


@pytest.mark.parametrize("number", [2, True, Fraction(1, 4), Rounded(0.5), 0.1])
def test_numbers_on_either_side(number: Any) -> None:
    a, x = Value(3.0), float(number)
    found = [a + number, a - number, a * number, a / number, a**number]
    assert [v.data for v in found] == [3.0 + x, 3.0 - x, 3.0 * x, 3.0 / x, 3.0**x]
    found = [number + a, number - a, number * a, number / a, number**a]
    assert [v.data for v in found] == [x + 3.0, x - 3.0, x * 3.0, x / 3.0, x**3.0]
    assert {type(operand) for v in found for operand in v.operands} == {float, Value}


def test_labels() -> None:
    a = Value(1.0, "weight: |a> {0} ∂")
    assert a.label == "weight: |a> {0} ∂"
    b = a * a
    assert (b.label, b.op) == ("", "mul")
    b.label = "b:c"
    assert (b.label, b.op) == ("b:c", "mul")
    assert repr(b) == "Value(data=1.0, grad=0.0, label='b:c')"
    b.label = ""
    assert repr(b) == "Value(data=1.0, grad=0.0)"
    with pytest.raises(TypeError, match="a label is a str, got int: 3"):
        Value(1.0, 3)
    with pytest.raises(TypeError, match="a label is a str, got NoneType: None"):
        a.label = None
    assert a.label == "weight: |a> {0} ∂"


def test_parents_keep_order_and_repeats() -> None:
    a, b = Value(2.0), Value(3.0)
    for made, parents, slopes, operands in (
        (a * b, (a, b), (3.0, 2.0), (a, b)),
        (b * a, (b, a), (2.0, 3.0), (b, a)),
        (a * a, (a, a), (2.0, 2.0), (a, a)),
        (a * 5, (a,), (5.0,), (a, 5.0)),
        (5 / a, (a,), (-1.25,), (5.0, a)),
        (a.relu(), (a,), (1.0,), (a,)),
    ):
        assert made.parents == parents
        assert made.local_grads == slopes
        assert made.operands == operands
        assert (made._prev, made._op) == (parents, made.op)
    assert (a.op, a.parents, a.local_grads, a.operands, a._op) == ("", (), (), (), "")


@pytest.mark.parametrize("name", ["op", "parents", "local_grads", "operands", "_prev", "_op"])
def test_how_a_node_was_made_can_be_read_only(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(Value(1.0), name, None)


def test_equality_and_hash_are_identity() -> None:
    a, b = Value(1.0), Value(1.0)
    assert a == a
    assert a != b
    one: Any = 1.0
    assert a != one
    assert len({a, b, a}) == 2
    assert a in [b, a]
    assert a not in [b]
    with pytest.raises(TypeError):
        assert a < b  # type: ignore[operator]


def test_there_are_no_operators_in_place() -> None:
    a = b = Value(1.0)
    b += 1
    b *= a
    assert (a.data, b.data, b.parents[1]) == (1.0, 2.0, a)


def test_nothing_else_can_be_attached() -> None:
    a: Any = Value(1.0)
    with pytest.raises(AttributeError):
        a.name = "a"
    with pytest.raises((AttributeError, NotImplementedError)):
        del a.data
    with pytest.raises(TypeError, match="cannot create weak reference"):
        weakref.ref(a)


def test_signatures_can_be_looked_up() -> None:
    assert list(inspect.signature(Value.backward).parameters) == ["self", "seed"]
    assert "upstream" not in (Value.__doc__ or "")
    assert "derivative" in (Value.__doc__ or "")


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow"])
def test_operators_equal_their_rows_to_the_bit(name: str) -> None:
    op, symbols = OPS[name], {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}
    apply: Callable[[Any, Any], Value] = eval(f"lambda a, b: a {symbols[name]} b")
    for x, y in itertools.product(NUMBERS, repeat=2):
        out = evaluate(op.forward, x, y)
        slopes = [evaluate(partial, x, y, out) for partial in op.partials]
        for a, b, expected in (
            (Value(x), Value(y), slopes),
            (Value(x), y, slopes[:1]),
            (x, Value(y), slopes[1:]),
        ):
            node = apply(a, b)
            assert repr((node.data, list(node.local_grads))) == repr((out, expected))
            assert repr(node.operands) == repr((a, b))
            assert node.op == name


def test_numbers_follow_ieee_rules_and_never_raise() -> None:
    assert (Value(1) / 0).data == INF
    assert (Value(1) / -0.0).data == -INF
    assert math.isnan(Value(-1).log().data)
    assert Value(710).exp().data == INF
    assert math.isnan((Value(-2) ** 0.5).data)
    assert (Value(10) ** 400).data == INF
    assert (Value(49) / 49).data == 1.0


def graph() -> tuple[Value, Value, Value, Value]:
    a, b = Value(2.0), Value(-3.0)
    c = a * b + a
    return a, b, c, c * c + c


def test_backward_adds_to_leaves_and_sets_what_is_between() -> None:
    # L = c² + c, c = ab + a: ∂L/∂c = 2c + 1 = −7, ∂L/∂a = −7(b + 1) = 14, ∂L/∂b = −7a = −14
    a, b, c, root = graph()
    a.grad, c.grad = 100.0, 55.0
    root.backward()
    assert (a.grad, b.grad, c.grad, root.grad) == (114.0, -14.0, -7.0, 1.0)
    root.backward()
    assert (a.grad, b.grad, c.grad, root.grad) == (128.0, -28.0, -7.0, 1.0)
    root.backward(seed=-2)
    assert (a.grad, b.grad, c.grad, root.grad) == (100.0, 0.0, 14.0, -2.0)


def test_a_pass_leaves_nothing_for_the_next_one() -> None:
    a, b, c, root = graph()
    root.backward()
    (c * 10.0).backward()
    assert (c.grad, a.grad, b.grad) == (10.0, 14.0 + 10.0 * -2.0, -14.0 + 10.0 * 2.0)


def test_a_root_that_is_a_leaf_gains_the_seed() -> None:
    a = Value(5.0)
    a.backward()
    a.backward(0.25)
    assert a.grad == 1.25


def test_local_derivatives_belong_to_the_forward_that_ran() -> None:
    a, b = Value(2.0), Value(3.0)
    root = a * b + b.exp()
    slopes = root.parents[0].local_grads
    a.data, b.data = 100.0, -1.0
    root.backward()
    assert root.parents[0].local_grads == slopes == (3.0, 2.0)
    assert (a.grad, b.grad) == (3.0, 2.0 + math.exp(3.0))
    assert root.data == 6.0 + math.exp(3.0)


def test_nodes_that_the_root_does_not_need_are_left_alone() -> None:
    a, b = Value(2.0), Value(3.0)
    aside = a * b
    aside.grad = 9.0
    (a * 5.0).backward()
    assert (aside.grad, b.grad, a.grad) == (9.0, 0.0, 5.0)


def test_topological_order_has_operands_first_and_each_node_once() -> None:
    *_, root = graph()
    order = topological_order(root)
    assert len(order) == len(set(order)) == 6
    assert order[-1] is root
    place = {node: i for i, node in enumerate(order)}
    assert all(place[parent] < place[node] for node in order for parent in node.parents)
    assert topological_order(root) == order


@pytest.mark.parametrize("x", [0.0, -1.0, NAN, INF])
@pytest.mark.parametrize("seed", [1.0, INF, NAN])
def test_detach_cuts_whatever_lies_behind_it(x: float, seed: float) -> None:
    a, b = Value(x), Value(3.0)
    a.grad = 7.0
    behind = a.log() * a.sqrt()  # whose slopes are infinite or nan at these places
    behind.grad = 9.0
    (behind.detach() + b).backward(seed)
    assert (a.grad, behind.grad) == (7.0, 9.0)
    assert repr(b.grad) == repr(seed)


def test_a_detached_node_may_be_used_in_the_open_as_well() -> None:
    a = Value(3.0)
    (a.detach() * a).backward()
    assert a.grad == 3.0


MASKED: list[Callable[[Any], Value]] = [
    lambda a: a.relu(),
    lambda a: OPS["maximum"](a, 2.0),
    lambda a: OPS["maximum"](2.0, a),
    lambda a: OPS["minimum"](a, -4.0),
    lambda a: OPS["minimum"](-4.0, a),
    lambda a: a.detach(),
]


@pytest.mark.parametrize("make", MASKED)
@pytest.mark.parametrize("upstream", [INF, -INF, NAN])
def test_masked_branches_pass_nothing_on(make: Callable[[Any], Value], upstream: float) -> None:
    a = Value(-1.0)
    (make(a) * upstream).backward()
    assert repr(a.grad) == "0.0"


def test_infinite_gradients_go_where_a_branch_is_taken() -> None:
    a = Value(2.0)
    (a.relu() * INF).backward()
    assert a.grad == INF


# 0 · ∞ and 0 · nan would be nan.
@pytest.mark.parametrize(
    ("make", "x"),
    [
        (lambda a: a.log() * 0.0, 0.0),
        (lambda a: a.sqrt() * 0.0, 0.0),
        (lambda a: a.log() * 0.0, -1.0),
        (lambda a: OPS["maximum"](a.sqrt(), 1.0), 0.0),
        (lambda a: OPS["minimum"](1.0, a.exp() - 1.0), 1000.0),
        (lambda a: a.relu() * a.log(), 0.0),
        (lambda a: a * a.sqrt(), 0.0),
        (lambda a: (1.0 / a).detach() * 2.0, 0.0),
    ],
)
def test_a_gradient_of_zero_passes_nothing_back(make: Callable[[Any], Value], x: float) -> None:
    a = Value(x)
    (make(a) + a).backward()
    assert a.grad == 1.0
    (make(a) + a).backward(0.0)
    assert a.grad == 1.0


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_leaves_are_copied_and_pickled(copied: Callable[[Value], Value]) -> None:
    for number in (0.1, -0.0, INF, 5e-324):
        leaf = Value(number, "w: 0")
        leaf.grad = -number
        twin = copied(leaf)
        assert twin is not leaf
        assert (repr(twin), type(twin)) == (repr(leaf), Value)
        (twin * 2.0).backward()
        assert leaf.grad == -number


def test_shared_leaves_stay_shared() -> None:
    a = Value(1.0)
    first, second, other = pickle.loads(pickle.dumps([a, a, Value(1.0)]))
    assert first is second
    assert first is not other
    assert copy.deepcopy({"w": [a, a]})["w"][0] is not a


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_what_was_computed_is_not_copied(copied: Callable[[Value], Any]) -> None:
    with pytest.raises(TypeError, match=r"only leaves are copied and pickled.*was made by mul"):
        copied(Value(1.0) * 2.0)


def test_a_value_is_one_of_the_things_that_can_be_computed_with() -> None:
    assert isinstance(Value(1.0), Operators)
