"""Parameters found in attributes, their names, states, summaries."""

import copy
import math
import pickle
from collections import UserDict, UserList, deque
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd_like.engine import Value
from micrograd_like.nn import MLP, Layer, Module, Neuron


class Anything(Module):
    """A module with the attributes it is given."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


def names_of(module: Any) -> list[str]:
    return [name for name, _ in module.named_parameters()]


def test_parameters_are_found_in_attributes_lists_tuples_dicts_and_modules() -> None:
    a, b, c, d, e, f = map(Value, range(6))
    inner = Anything(e=e)
    module = Anything(
        scale=a, size=3, name="net", rows=[[b], (c,)], table={"left": d, 7: [inner]}, last=f
    )
    assert module.named_parameters() == [
        ("scale", a),
        ("rows.0.0", b),
        ("rows.1.0", c),
        ("table.left", d),
        ("table.7.0.e", e),
        ("last", f),
    ]
    assert module.parameters() == [a, b, c, d, e, f]


def test_a_shared_parameter_counts_once_under_its_first_name() -> None:
    shared = Value(1.0)
    inner = Anything(kernel=shared)
    module = Anything(first=inner, second=inner, third=[shared, Value(2.0)])
    assert names_of(module) == ["first.kernel", "third.1"]
    assert len(module.parameters()) == 2


def test_results_of_operations_are_no_parameters() -> None:
    w = Value(2.0)
    module = Anything(w=w, output=w * 3.0, history=[w + 1.0])
    assert module.parameters() == [w]


def test_a_module_without_parameters_has_none() -> None:
    assert Module().parameters() == []
    assert Module().state_dict() == {}
    Module().load_state_dict({})


def test_a_subclass_that_defines_parameters_decides_at_any_depth() -> None:
    elsewhere = Value(9.0)

    class Frozen(Neuron):
        def parameters(self) -> list[Value]:
            return [*self.w, elsewhere]

    frozen = Frozen(2)
    module = Anything(inner=[frozen])
    assert names_of(module) == ["inner.0.w.0", "inner.0.w.1", "inner.0.parameters.2"]
    assert module.parameters() == [*frozen.w, elsewhere]
    assert frozen.b not in module.parameters()


def test_parameters_may_build_on_the_search() -> None:
    extra = Value(5.0)

    class More(Anything):
        def parameters(self) -> list[Value]:
            return [*super().parameters(), extra]

    assert names_of(More(w=Value(1.0))) == ["w", "parameters.1"]


def test_two_parameters_with_one_name_are_refused() -> None:
    module = Anything(table={1: Value(1.0), "1": Value(2.0)})
    with pytest.raises(ValueError, match=r"two parameters are called 'table\.1'"):
        module.state_dict()
    assert len(module.parameters()) == 2


def test_zero_grad_clears_every_gradient() -> None:
    model = MLP(2, [2, 1])
    model([1.0, 2.0]).backward()
    for parameter in model.parameters():
        parameter.grad += 1.0
    model.zero_grad()
    assert [p.grad for p in model.parameters()] == [0.0] * 9


@given(st.lists(st.floats(), min_size=9, max_size=9))
def test_a_state_is_taken_back_to_the_bit(numbers: Any) -> None:
    model, other = MLP(2, [2, 1]), MLP(2, [2, 1])
    for parameter, number in zip(model.parameters(), numbers, strict=True):
        parameter.data = number
    state = model.state_dict()
    other.load_state_dict(state)
    assert [math.copysign(1.0, x) for x in other.state_dict().values()] == [
        math.copysign(1.0, x) for x in numbers
    ]
    assert all(x == y or x != x for x, y in zip(other.state_dict().values(), numbers, strict=True))


def test_a_state_is_a_copy_and_its_order_is_free() -> None:
    model = Layer(1, 2)
    state = model.state_dict()
    model.neurons[0].b.data = 5.0
    assert state["neurons.0.b"] == 0.0
    model.load_state_dict(dict(reversed(state.items())))
    assert model.state_dict() == state


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("b"), ValueError, "missing b$"),
        (lambda s: s.update(c=1.0), ValueError, "unknown c$"),
        (lambda s: s.update({3: 1.0}), ValueError, "unknown 3$"),
        (lambda s: (s.pop("w.0"), s.update(w=1.0)), ValueError, r"missing w\.0; unknown w$"),
        (lambda s: s.update(b="0.5"), TypeError, "b: expected a real number, got str: '0.5'"),
        (lambda s: s.update(b=Value(1.0)), TypeError, "b: expected a real number, got Value"),
        (lambda s: s.update(b=None), TypeError, "b: expected a real number, got NoneType"),
        (
            lambda s: s.update(b=10**400),
            ValueError,
            r"b is too large for a float, got about 10\*\*400",
        ),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change: Any, error: Any, message: Any) -> None:
    model = Neuron(2)
    before = model.state_dict()
    state = dict.fromkeys(before, 7.0)
    change(state)
    with pytest.raises(error, match=message):
        model.load_state_dict(state)
    assert model.state_dict() == before


def test_a_long_list_of_differences_is_cut() -> None:
    with pytest.raises(ValueError, match=r"missing w\.0, w\.1, w\.2 and 8 more$"):
        Neuron(10).load_state_dict({})


@pytest.mark.parametrize("state", [None, [1.0], "w"])
def test_a_state_is_a_mapping(state: Any) -> None:
    with pytest.raises(TypeError, match=f"got {type(state).__name__}: "):
        Neuron(1).load_state_dict(state)


def test_the_summary_lists_layers_and_counts_shared_parameters_once() -> None:
    layer = Layer(2, 3, activation="tanh")
    module = Anything(first=layer, again=layer, head=Neuron(3, False), gains=[Value(1.0)] * 2)
    assert module.summary().splitlines() == [
        "layer  shape  activation  parameters",
        "first  2 → 3  tanh                 9",
        "again  2 → 3  tanh                 9",
        "head   3 → 1  linear               4",
        "gains                              2",
        "total                             14",
    ]


def test_the_summary_lists_a_list_under_every_attribute_that_has_it() -> None:
    class Tied(Module):
        def __init__(self) -> None:
            self.encoder = [Value(1.0), [Value(2.0)]]
            self.decoder, self.both = self.encoder, [self.encoder, self.encoder]

    tied = Tied()
    names = [line.split() for line in str(tied.summary()).splitlines()]
    assert names[1:] == [["encoder", "2"], ["decoder", "2"], ["both", "2"], ["total", "2"]]
    assert list(tied.state_dict()) == ["encoder.0", "encoder.1.0"]


def test_a_name_with_control_characters_is_written_out_in_the_summary() -> None:
    module = Module()
    setattr(module, "a\x1b[31m\n", Neuron(1))
    module.parts = {"\ud800\t": Neuron(1)}  # type: ignore[attr-defined]
    lines = module.summary().splitlines()
    assert [line.split()[0] for line in lines[1:3]] == [r"a\x1b[31m\n", r"parts.\ud800\t"]
    module.summary().encode()


def test_the_summary_of_a_single_layer_or_neuron_carries_its_class_name() -> None:
    assert Layer(2, 3).summary().splitlines()[1].split() == ["Layer", "2", "→", "3", "relu", "9"]
    assert Neuron(2).summary().splitlines()[1].split() == ["Neuron", "2", "→", "1", "relu", "3"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_has_parameters_of_its_own(copied: Any) -> None:
    model = MLP(2, [3, 1], activation="tanh", output="softplus")
    other = copied(model)
    assert other.state_dict() == model.state_dict()
    assert other([1.0, -1.0]).data == model([1.0, -1.0]).data
    other.parameters()[0].data += 1.0
    assert other.state_dict() != model.state_dict()
    assert set(other.parameters()).isdisjoint(model.parameters())


@dataclass
class Pair:
    left: Value
    right: Value


def inside_itself(items: list[Any]) -> list[Any]:
    items.append(items)
    return items


HOLDERS: dict[str, tuple[Callable[[Value, Value], Any], list[str]]] = {
    "deque": (lambda a, b: deque([a, b]), ["kept.0", "kept.1"]),
    "dataclass": (lambda a, b: Pair(a, b), ["kept.left", "kept.right"]),
    "namespace": (lambda a, b: SimpleNamespace(u=a, v=b), ["kept.u", "kept.v"]),
    "user list": (lambda a, b: UserList([a, b]), ["kept.0", "kept.1"]),
    "user dict": (lambda a, b: UserDict({"u": a, "v": b}), ["kept.u", "kept.v"]),
    "array": (lambda a, b: numpy.array([a, b]), ["kept.0", "kept.1"]),
    "matrix": (lambda a, b: numpy.array([[a], [b]]), ["kept.0.0", "kept.1.0"]),
    "view": (lambda a, b: {"u": a, "v": b}.values(), ["kept.0", "kept.1"]),
    "itself": (lambda a, b: inside_itself([a, b]), ["kept.0", "kept.1"]),
    "nested": (lambda a, b: {"p": deque([Pair(a, b)])}, ["kept.p.0.left", "kept.p.0.right"]),
}


@pytest.mark.parametrize("kind", HOLDERS)
def test_parameters_are_found_in_whatever_holds_them(kind: str) -> None:
    hold, names = HOLDERS[kind]
    a, b = Value(1.0), Value(2.0)
    model = Anything(kept=hold(a, b))
    assert model.named_parameters() == list(zip(names, [a, b], strict=True))


@pytest.mark.parametrize("kept", [{Value(1.0)}, frozenset([Neuron(1)]), [{Value(1.0)}]])
def test_a_set_of_parameters_is_refused_by_name(kept: Any) -> None:
    with pytest.raises(TypeError, match=r"gates.*: parameters in a (frozen)?set have no order"):
        Anything(gates=kept).parameters()


@pytest.mark.parametrize("lost", [[Value(0.5) * 0.1], {"a": [Value(2.0).exp()]}, -Value(1.0)])
def test_a_parameter_that_an_operation_made_is_refused_by_name(lost: Any) -> None:
    model = Anything(b=Value(0.0), w=lost)
    for asks in (model.parameters, model.state_dict, model.zero_grad):
        with pytest.raises(ValueError, match=r"Anything\.w.* is no parameter.*write Value\("):
            asks()


def test_results_and_constants_may_be_kept() -> None:
    w = Value(2.0)
    model = Anything(w=w, scale=Value(3.0).detach(), last=[(w * 3.0).tanh()])
    assert model.parameters() == [w]


def test_a_module_that_is_not_called_says_what_is_missing() -> None:
    class Torch(Module):
        def forward(self, x: Any) -> Any:
            return x

    with pytest.raises(TypeError, match=r"Torch can't be called: define __call__.*forward is not"):
        Torch()([1.0])
    with pytest.raises(
        TypeError, match=r"Module can't be called: define __call__\(self, x\) in it$"
    ):
        Module()([1.0])


@pytest.mark.parametrize(
    ("activation", "fix"),
    [
        (math.tanh, r"v\.tanh\(\)"),
        (lambda z: math.exp(float(z)), r"v\.exp\(\)"),
        (float, r"v\.sin\(\)"),
    ],
)
def test_an_activation_that_cuts_the_graph_is_refused(activation: Any, fix: str) -> None:
    for model in (Neuron(1, activation=activation), MLP(1, [3, 1], activation=activation)):
        with pytest.raises(TypeError, match=f"activation .* returned a plain number.*{fix}"):
            model([0.5])


def test_nonlin_can_be_assigned_as_in_micrograd() -> None:
    neuron = Neuron(1, activation="tanh")
    neuron.nonlin = True
    assert neuron.activation == "tanh"
    neuron.nonlin = False
    assert repr(neuron) == "LinearNeuron(1)"
    neuron.nonlin = True
    assert neuron.activation == "relu"
