"""Neurons, layers, perceptrons: order of draws and sums, activations, starts, bad input."""

import math
import random
from functools import reduce
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd_like import ops
from micrograd_like.engine import Value, topological_order
from micrograd_like.nn import MLP, Layer, Module, Neuron
from micrograd_like.operation import OPS, Op, register

finite = st.floats(-1e6, 1e6)
LOGISTIC = 1.0 / (1.0 + math.exp(-0.7))


def set_numbers(module: Any, numbers: Any) -> None:
    for parameter, number in zip(module.parameters(), numbers, strict=True):
        parameter.data = number


def numbers(module: Any) -> list[float]:
    return [parameter.data for parameter in module.parameters()]


# Starting numbers.


def test_weights_are_drawn_neuron_by_neuron_and_biases_start_at_zero() -> None:
    rng = random.Random(5)
    expected = []
    for nin, nout in ((3, 2), (2, 1)):
        for _ in range(nout):
            expected += [rng.uniform(-1, 1) for _ in range(nin)] + [0.0]
    assert numbers(MLP(3, [2, 1], rng=random.Random(5))) == expected


def test_without_a_generator_the_module_random_is_drawn_from() -> None:
    random.seed(11)
    model = MLP(2, [2, 1])
    following = random.random()
    random.seed(11)
    module: Any = random
    again = MLP(2, [2, 1], rng=module)
    assert numbers(model) == numbers(again)
    assert following == random.random()


@pytest.mark.parametrize(("init", "variance"), [("glorot", 2 / (50 + 150)), ("he", 2 / 50)])
def test_glorot_and_he_have_the_variance_of_their_papers(init: Any, variance: Any) -> None:
    layer = Layer(50, 150, init=init, rng=random.Random(0))
    weights = [w.data for neuron in layer.neurons for w in neuron.w]
    # 7,500 draws: the mean and the mean square are off by less than five standard errors.
    assert abs(fmean(weights)) < 5 * (variance / 7500) ** 0.5
    assert abs(fmean(w * w for w in weights) / variance - 1.0) < 5 * (2 / 7500) ** 0.5
    assert all(neuron.b.data == 0.0 for neuron in layer.neurons)


def test_glorot_stays_within_its_bound() -> None:
    bound = math.sqrt(6 / (4 + 20))
    weights = [
        w.data
        for neuron in Layer(4, 20, init="glorot", rng=random.Random(1)).neurons
        for w in neuron.w
    ]
    assert 0.9 * bound < max(map(abs, weights)) <= bound


def test_a_function_starts_every_weight() -> None:
    calls = []
    rng = random.Random(0)

    def start(nin: Any, nout: Any, source: Any) -> float:
        calls.append((nin, nout, source))
        return len(calls)

    model = MLP(2, [2, 1], init=start, rng=rng)
    assert numbers(model) == [1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 5.0, 6.0, 0.0]
    assert calls == [(2, 2, rng)] * 4 + [(2, 1, rng)] * 2
    assert Neuron(1, init=lambda nin, nout, source: nout).w[0].data == 1.0


# The forward pass.


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=6), finite, st.booleans())
def test_a_neuron_adds_from_the_left_beginning_with_the_bias(
    pairs: Any, bias: Any, values: Any
) -> None:
    neuron = Neuron(len(pairs), nonlin=False)
    set_numbers(neuron, [*(w for w, _ in pairs), bias])
    x = [Value(xi) if values else xi for _, xi in pairs]
    assert neuron(x).data == reduce(lambda z, pair: z + pair[0] * pair[1], pairs, bias)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("linear", 0.7),
        ("relu", 0.7),
        ("tanh", math.tanh(0.7)),
        ("sigmoid", LOGISTIC),
        ("softplus", math.log(1.0 + math.exp(0.7))),
        ("sin", math.sin(0.7)),
        ("exp", math.exp(0.7)),
        ("leaky_relu", 0.7),
        ("elu", 0.7),
        ("gelu", 0.7 * 0.5 * (1.0 + math.erf(0.7 / math.sqrt(2.0)))),
        ("silu", 0.7 * LOGISTIC),
        ("atan", math.atan(0.7)),
        (Value.tanh, math.tanh(0.7)),
        (ops.cos, math.cos(0.7)),
        (lambda z: z * z, 0.7 * 0.7),
    ],
)
def test_activations(activation: Any, expected: Any) -> None:
    neuron = Neuron(1, activation=activation)
    set_numbers(neuron, [2.0, 0.1])
    assert math.isclose(neuron([0.3]).data, expected, rel_tol=1e-15)


def test_a_registered_operation_is_an_activation_by_its_name() -> None:
    register(Op("cube", "cube", lambda a: a * a * a, (lambda a, out: 3.0 * a * a,)))
    try:
        neuron = Neuron(1, activation="cube")
        set_numbers(neuron, [2.0, 0.0])
        assert neuron([1.5]).data == 27.0
        assert repr(neuron) == "cubeNeuron(1)"
    finally:
        del OPS["cube"]
    with pytest.raises(ValueError, match="unknown activation 'hypot'"):
        Neuron(1, activation="hypot")  # which takes two operands


def test_relu_is_where_nothing_else_is_said_and_the_last_layer_is_linear() -> None:
    model = MLP(1, [1, 1])
    set_numbers(model, [-1.0, 0.0, -1.0, 0.0])
    assert model([-3.0]).data == -3.0
    assert model([3.0]).data == 0.0
    assert MLP(1, [1, 1], output="exp").layers[1].neurons[0].activation == "exp"


def test_a_network_and_its_gradient_by_hand() -> None:
    model = MLP(2, [2, 1], activation="tanh", output="sigmoid")
    w = [0.5, -0.25, 0.1, -0.75, 0.5, -0.2, 1.5, -2.0, 0.3]
    set_numbers(model, w)
    x = [0.4, -1.2]
    out = model(x)
    out.backward()
    h = [math.tanh(w[i + 2] + w[i] * x[0] + w[i + 1] * x[1]) for i in (0, 3)]
    a = 1.0 / (1.0 + math.exp(-(w[8] + w[6] * h[0] + w[7] * h[1])))
    last = a * (1.0 - a)
    first = [last * w[6 + k] * (1.0 - h[k] ** 2) for k in range(2)]
    expected = [d * xi for d in first for xi in (*x, 1.0)] + [last * hi for hi in (*h, 1.0)]
    assert math.isclose(out.data, a, rel_tol=1e-14)
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        assert math.isclose(parameter.grad, gradient, rel_tol=1e-13)


def test_without_biases() -> None:
    model = MLP(2, [2, 1], bias=False, rng=random.Random(1))
    same = MLP(2, [2, 1], rng=random.Random(1))
    assert [name for name, _ in model.named_parameters() if name.endswith(".b")] == []
    assert vars(model.layers[0].neurons[0])["b"] is None
    weights = {name: w.data for name, w in same.named_parameters() if ".w." in name}
    assert model.state_dict() == weights  # drawn in the same order
    x = [0.4, -1.2]
    assert model(x).data == same(x).data
    products, layer = weights.values(), model.layers[0].neurons[0]
    w0, w1, *_ = products
    assert layer(x).data == max(0.0, w0 * x[0] + w1 * x[1])
    out = Neuron(2, bias=False, activation="linear")(x)
    assert sorted(node.op for node in topological_order(out) if node.op) == ["add", "mul", "mul"]
    assert str(model.summary()).split()[-1] == "6"
    assert "b" not in {name.rpartition(".")[2] for name in model.state_dict()}
    for make in (
        lambda b: Neuron(1, bias=b),
        lambda b: Layer(1, 1, bias=b),
        lambda b: MLP(1, [1], bias=b),
    ):
        with pytest.raises((ValueError, TypeError), match="bias"):
            make("no")


def test_hidden_layers_of_one_unit() -> None:
    model = MLP(1, [1, 1, 2], activation="linear", output="linear")
    set_numbers(model, [2.0, 1.0, 3.0, -1.0, 1.0, 0.5, -1.0, 0.25])
    assert [out.data for out in model([5.0])] == [32.5, -31.75]  # 3 (2 · 5 + 1) − 1 = 32


def test_a_layer_of_one_unit_gives_its_output_bare() -> None:
    assert isinstance(Layer(2, 1)([1.0, 2.0]), Value)
    assert isinstance(Layer(2, 2)([1.0, 2.0]), list)


@pytest.mark.parametrize("make", [Neuron, lambda n: Layer(n, 1), lambda n: MLP(n, [1])])
def test_one_input_may_be_bare(make: Any) -> None:
    model = make(1)
    x = Value(0.5)
    assert model(0.5).data == model([0.5]).data == model(x).data
    with pytest.raises(ValueError, match=r"expected 2 input\(s\), got 1: "):
        make(2)(0.5)


def test_inputs_may_come_in_any_iterable() -> None:
    model = MLP(2, [3, 2], activation="tanh")
    expected = [out.data for out in model([1.0, -2.0])]
    for x in ((1, -2), iter([1.0, -2.0]), map(Value, [1.0, -2.0]), range(1, -3, -3)):
        assert [out.data for out in model(x)] == expected


def test_numbers_get_no_nodes() -> None:
    neuron = Neuron(2, nonlin=False)
    out = neuron([3.0, 4.0])
    leaves, todo = set(), [out]
    while todo:
        node = todo.pop()
        todo += node.parents
        if not node.op:
            leaves.add(node)
    assert leaves == {*neuron.w, neuron.b}


def test_a_product_has_the_weight_first() -> None:
    neuron, x = Neuron(1, nonlin=False), Value(3.0)
    for xi in (x, 3.0):
        total = neuron([xi])
        assert total.parents[0] is neuron.b
        assert total.parents[1].operands == (neuron.w[0], xi)


def test_a_gradient_reaches_inputs_that_are_values() -> None:
    neuron = Neuron(2, nonlin=False)
    x = [Value(3.0), Value(4.0)]
    neuron(x).backward()
    assert [xi.grad for xi in x] == [w.data for w in neuron.w]
    assert [w.grad for w in neuron.w] == [3.0, 4.0]
    assert neuron.b.grad == 1.0


# Names and attributes.


def test_names_follow_the_attributes() -> None:
    assert [name for name, _ in MLP(2, [1, 1]).named_parameters()] == [
        "layers.0.neurons.0.w.0",
        "layers.0.neurons.0.w.1",
        "layers.0.neurons.0.b",
        "layers.1.neurons.0.w.0",
        "layers.1.neurons.0.b",
    ]


def test_repr_nests_as_micrograd_does() -> None:
    assert repr(MLP(3, [2, 1])) == (
        "MLP of [Layer of [ReLUNeuron(3), ReLUNeuron(3)], Layer of [LinearNeuron(2)]]"
    )
    assert repr(Neuron(2, nonlin=False)) == "LinearNeuron(2)"
    assert repr(Neuron(2, activation="softplus")) == "SoftplusNeuron(2)"
    assert repr(Neuron(2, activation=ops.cos)) == "cosNeuron(2)"
    assert repr(Neuron(2, activation=max)) == "maxNeuron(2)"


def test_the_summary_is_a_table() -> None:
    assert MLP(2, [16, 16, 1], activation="tanh", output="sigmoid").summary() == "\n".join(
        [
            "layer     shape    activation  parameters",
            "layers.0  2 → 16   tanh                48",
            "layers.1  16 → 16  tanh               272",
            "layers.2  16 → 1   sigmoid             17",
            "total                                 337",
        ]
    )


def test_the_summary_lists_every_activation_of_a_layer() -> None:
    layer = Layer(1, 3)
    layer.neurons[1].activation = "sin"
    assert "relu, sin" in layer.summary()


def test_a_list_has_an_activation_for_each_layer() -> None:
    model = MLP(2, [3, 2, 1], activation=["tanh", "silu", "sigmoid"], rng=random.Random(0))
    found = [layer.neurons[0].activation for layer in model.layers]
    assert found == ["tanh", "silu", "sigmoid"]
    assert 0.0 < model([5.0, -3.0]).data < 1.0


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"activation": ["tanh"]}, r"one for each of 2 layer\(s\), got 1: \['tanh'\]"),
        ({"activation": ["tanh", "tahn"]}, "unknown activation 'tahn'"),
        ({"activation": ["relu", "relu"], "output": "tanh"}, "output='tanh' is the last one"),
    ],
)
def test_a_list_of_activations_that_does_not_fit(how: dict[str, Any], message: str) -> None:
    source = random.Random(1)
    before = source.getstate()
    with pytest.raises(ValueError, match=message):
        MLP(2, [3, 1], rng=source, **how)
    assert source.getstate() == before


def test_an_activation_is_assignable_and_checked() -> None:
    neuron = Neuron(1)
    set_numbers(neuron, [1.0, 0.0])
    assert (neuron.nonlin, neuron([-2.0]).data) == (True, 0.0)
    neuron.activation = "linear"
    assert (neuron.nonlin, neuron([-2.0]).data) == (False, -2.0)
    with pytest.raises(ValueError, match="unknown activation 'tahn'"):
        neuron.activation = "tahn"
    assert neuron.activation == "linear"
    assert neuron([-2.0]).data == -2.0


def test_an_activation_with_parameters_is_trained_along() -> None:
    class Leaky(Module):
        def __init__(self) -> None:
            self.slope = Value(0.25)

        def __call__(self, z: Any) -> Any:
            return z.relu() - self.slope * (-z).relu()

    leaky = Leaky()
    layer = Layer(1, 2, activation=leaky)
    assert layer.parameters()[2] is leaky.slope
    assert len(layer.parameters()) == 5
    assert layer.summary().splitlines()[1].split() == ["Layer", "1", "→", "2", "Leaky", "5"]
    set_numbers(layer, [1.0, 0.0, 0.25, -1.0, 0.0])
    assert [out.data for out in layer([-8.0])] == [-2.0, 8.0]


# Bad input.


@pytest.mark.parametrize(
    "make",
    [Neuron, lambda nin, **how: Layer(nin, 2, **how), lambda nin, **how: MLP(nin, [2, 1], **how)],
)
class TestBadInput:
    @pytest.mark.parametrize("x", [[1.0], [1.0, 2.0, 3.0], []])
    def test_a_wrong_number_of_inputs(self, make: Any, x: Any) -> None:
        with pytest.raises(ValueError, match=rf"expected 2 input\(s\), got {len(x)}"):
            make(2)(x)

    @pytest.mark.parametrize(
        ("x", "kind"),
        [
            (["1", "2"], "str"),
            ([[1, 2], [3, 4]], "list"),
            ([1j, 2], "complex"),
            ([None, 1], "None"),
        ],
    )
    def test_inputs_that_are_no_numbers(self, make: Any, x: Any, kind: Any) -> None:
        with pytest.raises(TypeError, match=f"one example at a time: expected a real .*{kind}"):
            make(2)(x)
        with pytest.raises(TypeError, match="one example at a time"):
            make(2)(tuple(x))

    @pytest.mark.parametrize("x", ["12", b"12", {1: 2, 3: 4}, {1, 2}])
    def test_inputs_in_no_order(self, make: Any, x: Any) -> None:
        with pytest.raises(TypeError, match=f": {type(x).__name__} is no sequence of numbers"):
            make(2)(x)

    @pytest.mark.parametrize("x", [None, 1j])
    def test_an_input_that_is_no_sequence(self, make: Any, x: Any) -> None:
        with pytest.raises(TypeError, match=r"one example at a time: .* not iterable"):
            make(2)(x)

    @pytest.mark.parametrize(
        ("how", "error", "message"),
        [
            ({"init": "xavier"}, ValueError, "init 'xavier': .* one of uniform, glorot, he$"),
            ({"activation": "ReLU"}, ValueError, "activation 'ReLU': .* one of linear, relu, tanh"),
            ({"activation": None}, TypeError, "unknown activation None: give a function"),
            ({"init": 0.0}, TypeError, r"unknown init 0\.0: give a function"),
            ({"rng": 7}, TypeError, r"got int: 7; for a seed write random\.Random\(seed\)"),
            ({"init": lambda nin, nout, rng: "1"}, TypeError, "expected a real number, got str"),
        ],
    )
    def test_names_and_generators(self, make: Any, how: Any, error: Any, message: Any) -> None:
        state = random.getstate()
        with pytest.raises(error, match=message):
            make(2, **how)
        assert random.getstate() == state

    @pytest.mark.parametrize("nin", [0, -1])
    def test_sizes_below_one(self, make: Any, nin: Any) -> None:
        with pytest.raises(ValueError, match=f"nin is at least 1, got {nin}"):
            make(nin)

    @pytest.mark.parametrize("nin", [2.0, "2", None, True, [2]])
    def test_sizes_that_are_no_whole_numbers(self, make: Any, nin: Any) -> None:
        with pytest.raises(TypeError, match=f"nin is a whole number, got {type(nin).__name__}"):
            make(nin)


@pytest.mark.parametrize("nout", [0, -3])
def test_layers_of_no_units(nout: Any) -> None:
    with pytest.raises(ValueError, match=f"nout is at least 1, got {nout}"):
        Layer(2, nout)
    with pytest.raises(ValueError, match=f"a layer's size is at least 1, got {nout}"):
        MLP(2, [4, nout])


@pytest.mark.parametrize("nout", [1.5, True, "3"])
def test_layers_of_broken_sizes(nout: Any) -> None:
    with pytest.raises(TypeError, match="nout is a whole number"):
        Layer(2, nout)
    with pytest.raises(TypeError, match="a layer's size is a whole number"):
        MLP(2, [4, nout])


def test_a_perceptron_has_layers() -> None:
    with pytest.raises(ValueError, match=r"at least one layer, got \[\]"):
        MLP(2, [])
    with pytest.raises(TypeError, match=r"list of layer sizes such as \[16, 1\], got 3"):
        MLP(2, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", [{"activation": "tahn"}, {"output": "softmax"}])
def test_names_are_checked_even_where_one_layer_needs_none(how: Any) -> None:
    state = random.getstate()
    for nouts in ([1], [4, 1]):
        with pytest.raises(ValueError, match=r"unknown .*: give a function or one of linear"):
            MLP(2, nouts, **how)
    assert random.getstate() == state


def test_nonlin_is_true_or_false() -> None:
    with pytest.raises(ValueError, match="nonlin is True or False, got 16"):
        Neuron(2, 16)  # type: ignore[arg-type]
