"""The demos: closed forms against autograd, and what they claim."""

from __future__ import annotations

import cmath
import gzip
import importlib.util
import itertools
import math
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import micrograd_like as ml
from micrograd_like import Neuron, Value
from micrograd_like.engine import topological_order
from tests.heavy.bench import gpt as bench_gpt

DEMOS = Path(__file__).parents[2] / "demos"
NAMES = sorted(path.stem for path in DEMOS.glob("*.py"))
CLOSE = 1e-12


def demo(name: str) -> Any:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, DEMOS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # NamedTuple and others look their module up
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="module", autouse=True)
def _forget_the_demos() -> Iterator[None]:
    yield
    for name in NAMES:
        sys.modules.pop(name, None)


def grads(parameters: Any) -> list[float]:
    return [parameter.grad for parameter in parameters]


def near(expected: Any) -> Any:
    return pytest.approx(expected, rel=0, abs=CLOSE)


# S1


@pytest.mark.parametrize("seed", range(5))
def test_s1_gradient_is_the_closed_form(seed: int) -> None:
    s1, rng = demo("s1_one_neuron"), random.Random(seed)
    X, y = s1.examples(30, rng)
    neuron = Neuron(3, rng=rng)
    neuron.b.data = rng.uniform(-1, 1)
    s1.cost(neuron, X, y).backward()
    assert grads(neuron.parameters()) == near(s1.closed_form(neuron, X, y))
    assert any(grads(neuron.parameters()))


def test_s1_silent_examples_add_nothing() -> None:
    s1, neuron = demo("s1_one_neuron"), Neuron(3, rng=random.Random(1))
    X = [[0.0, 0.0, 0.0], [1.0, -1.0, 0.5]]
    neuron.b.data = -10.0
    s1.cost(neuron, X, [5.0, -5.0]).backward()
    assert grads(neuron.parameters()) == [0.0] * 4 == s1.closed_form(neuron, X, [5.0, -5.0])


# S2


@pytest.mark.parametrize("seed", range(5))
def test_s2_gradient_is_the_closed_form_and_the_lost_sign_goes_uphill(seed: int) -> None:
    s2, rng = demo("s2_perceptron"), random.Random(seed)
    start = [rng.uniform(-3, 3) for _ in range(3)]
    w = [Value(number) for number in start]
    before = s2.cost(w)
    before.backward()
    formula = s2.closed_form(start)
    assert grads(w) == near(formula)
    downhill = s2.cost([Value(x - 0.1 * g) for x, g in zip(start, formula, strict=True)])
    uphill = s2.cost([Value(x + 0.1 * g) for x, g in zip(start, formula, strict=True)])
    assert downhill.data < before.data < uphill.data


def test_s2_step_function_learns_or() -> None:
    s2 = demo("s2_perceptron")
    weights, mistakes = s2.rosenblatt(6)
    assert mistakes[0] > 0 == mistakes[-1]
    for x, y in s2.OR:
        assert (sum(w * xi for w, xi in zip(weights, x, strict=True)) > 0) == y


# S3


@pytest.mark.parametrize("seed", range(5))
def test_s3_backward_is_the_recursion(seed: int) -> None:
    s3 = demo("s3_layers")
    network = ml.MLP(2, [3, 4, 2], rng=random.Random(seed))
    trace = s3.Trace(network, s3.INPUT, s3.TARGET)
    trace.cost.backward()
    deltas = s3.recursion(network, trace, s3.TARGET)
    for layer, delta, z, before in zip(network.layers, deltas, trace.z, trace.a, strict=False):
        assert grads(z) == near(delta)
        for neuron, d in zip(layer.neurons, delta, strict=True):
            assert neuron.b.grad == near(d)
            assert grads(neuron.w) == near([d * a.data for a in before])


# S4


def test_s4_batches_of_an_epoch_average_to_the_full_gradient() -> None:
    s4, rng = demo("s4_minibatches"), random.Random(1)
    X, y = ml.moons(60, 0.3, rng)
    model = s4.network(rng)
    parts = [s4.gradient(model, X[i : i + 10], y[i : i + 10]) for i in range(0, 60, 10)]
    assert s4.mean(parts) == near(s4.gradient(model, X, y))
    assert parts[0] != near(parts[1])


def test_s4_error_falls_with_the_root_of_the_number_of_batches() -> None:
    s4, rng = demo("s4_minibatches"), random.Random(2)
    X, y = ml.moons(60, 0.3, rng)
    model = s4.network(rng)
    full = s4.gradient(model, X, y)
    draws = []
    for _ in range(320):
        chosen = rng.sample(range(60), 10)
        draws.append(s4.gradient(model, [X[i] for i in chosen], [y[i] for i in chosen]))
    one = math.sqrt(sum(math.dist(d, full) ** 2 for d in draws) / 320) / math.hypot(*full)
    assert s4.error(draws, full) == near(one)
    sixteen = s4.error([s4.mean(draws[i : i + 16]) for i in range(0, 320, 16)], full)
    assert one / sixteen == pytest.approx(4, rel=0.25)


def test_s4_knee_of_a_bent_line() -> None:
    assert demo("s4_minibatches").knee([0.0, 0.4, 0.8, 0.85, 0.9, 0.95]) == 2


def test_s4_stops_early() -> None:
    s4 = demo("s4_minibatches")
    history = s4.train(random.Random(7))
    accuracy = [row["accuracy"] for row in history.rows]
    bend = s4.knee(accuracy)
    assert history.stopped == "patience"
    assert bend < len(accuracy) / 3
    assert accuracy[bend] - accuracy[0] > 2 * abs(accuracy[-1] - accuracy[bend])
    assert len(accuracy) == history.best.epoch + 15


# S5


@pytest.mark.parametrize("kind", ["squared error", "cross-entropy"])
@pytest.mark.parametrize("start", [(2.0, 2.0), (-1.0, 0.5), (10.0, 5.0), (-9.0, -9.0)])
def test_s5_gradients_are_the_closed_forms(kind: str, start: tuple[float, float]) -> None:
    s5 = demo("s5_slowdown")
    w, b = map(Value, start)
    s5.cost(kind, w, b).backward()
    assert (w.grad, b.grad) == near(s5.closed_form(kind, *start))


def test_s5_cross_entropy_is_five_times_sooner() -> None:
    s5 = demo("s5_slowdown")
    slow, fast = (s5.half_life(s5.train(kind)) for kind in s5.COSTS)
    assert slow >= 5 * fast > 0


# S6


@pytest.mark.parametrize("seed", range(3))
def test_s6_ratios(seed: int) -> None:
    s6 = demo("s6_vanishing")
    for start in ("uniform", "glorot", "he"):
        assert s6.ratio(s6.gradient_sizes("sigmoid", start, 10, seed).weights) < 1e-3
        assert s6.ratio(s6.gradient_sizes("sigmoid", start, 10, seed).biases) < 1e-3
    assert 0.1 <= s6.ratio(s6.gradient_sizes("relu", "he", 10, seed).weights) <= 10
    assert s6.ratio(s6.gradient_sizes("relu", "uniform", 20, seed).biases) > 100  # explodes


# S7


def test_s7_descent_is_the_closed_form() -> None:
    s7 = demo("s7_heuristics")
    rate = 1.98 / s7.STEEP
    path = s7.descend(s7.VALLEY["descent, η = 1.98/κ"], 100)
    x, y = s7.START
    for k, point in enumerate(path):
        assert point == near((x * (1 - rate) ** k, y * (1 - rate * s7.STEEP) ** k))


def test_s7_momentum_is_the_closed_form() -> None:
    s7 = demo("s7_heuristics")
    rate, mu = 3.2 / s7.STEEP, 0.8
    path = s7.descend(s7.VALLEY["momentum 0.8"], 100)
    for axis, curvature in enumerate((1.0, s7.STEEP)):
        # wₖ₊₁ = (1 + μ − ηλ) wₖ − μ wₖ₋₁, solved with the roots of r² − (1 + μ − ηλ) r + μ
        half = (1 + mu - rate * curvature) / 2
        r = half + cmath.sqrt(half * half - mu)
        s = 2 * half - r
        w0, w1 = s7.START[axis], s7.START[axis] * (1 - rate * curvature)
        c = (w1 - s * w0) / (r - s)
        for k, point in enumerate(path):
            assert point[axis] == near((c * r**k + (w0 - c) * s**k).real)


def test_s7_remembering_beats_plain_descent() -> None:
    s7 = demo("s7_heuristics")
    needed = [s7.steps_needed(s7.descend(make, 1000)) for make in s7.VALLEY.values()]
    careful, bold, reckless, momentum, adam = needed
    assert reckless is None
    assert momentum < bold / 2 < bold < careful
    assert adam < bold


# S8


@pytest.mark.parametrize("seed", range(3))
def test_s8_shared_gradient_is_the_sum_over_uses_to_the_bit(seed: int) -> None:
    s8, rng = demo("s8_shared_weights"), random.Random(seed)
    image, kernel = [rng.random() for _ in range(64)], Neuron(9, init="he", rng=rng)
    kernel.b.data = 2.0  # so that no answer is silent
    pairs = s8.shared_and_summed(kernel, image, [rng.random() for _ in range(36)])
    assert len(pairs) == 10
    assert [shared.hex() for shared, _ in pairs] == [total.hex() for _, total in pairs]
    assert all(shared for shared, _ in pairs)


def test_s8_convolves() -> None:
    s8, rng = demo("s8_shared_weights"), random.Random(3)
    kernel, image = Neuron(9, init="he", rng=rng), [rng.random() for _ in range(64)]
    kernel.b.data = 0.2
    answers = [kernel(window) for window in s8.windows(image)]
    w = [weight.data for weight in kernel.w]
    expected = [
        max(0.0, 0.2 + sum(w[3 * u + v] * image[8 * (i + u) + j + v] for u, v in PLACES))
        for i in range(6)
        for j in range(6)
    ]
    assert [a.data for a in answers] == near(expected)
    parents = Counter(p for node in topological_order(sum(answers)) for p in node.parents)
    assert {parents[parameter] for parameter in kernel.parameters()} == {36}


def test_s8_averages_the_answers_by_twos() -> None:
    s8, rng = demo("s8_shared_weights"), random.Random(4)
    model, image = s8.Reader(rng), [rng.random() for _ in range(64)]
    assert len(model.parameters()) == 410
    features = []
    for kernel in model.kernels:
        seen = [kernel(window).data for window in s8.windows(image)]
        for i, j in itertools.product((0, 2, 4), repeat=2):
            features.append(sum(seen[6 * (i + u) + j + v] for u in (0, 1) for v in (0, 1)) / 4)
    expected = [z.data for z in model.out(features)]
    assert [z.data for z in model(image)] == near(expected)


PLACES = [(u, v) for u in range(3) for v in range(3)]


# S9


def test_s9_code_lengths() -> None:
    s9 = demo("s9_digits")
    p = (0.5, 0.25, 0.125, 0.125)
    assert s9.expected_length(p, p) / s9.BIT == near(1.75)
    for q in (p, (0.25, 0.25, 0.25, 0.25), (0.1, 0.2, 0.3, 0.4)):
        assert s9.expected_length(p, q) >= s9.expected_length(p, p) - CLOSE
        logits = [math.log(qi) for qi in q]
        assert ml.cross_entropy(logits, p) == near(s9.expected_length(p, q))
    two = s9.expected_length((0.75, 0.25), (0.9, 0.1))
    assert ml.binary_cross_entropy(0.9, 0.75) == near(two)


# Newton's method


def test_physics_derivatives_are_the_closed_forms() -> None:
    fit = demo("physics_fit")
    data, p = fit.readings(random.Random(1)), (1.7, 0.2, 2.9, 0.4)
    A, gamma, omega, phi = p
    gradient, H = [0.0] * 4, [[0.0] * 4 for _ in range(4)]
    for t, x in data:
        f = A * math.exp(-gamma * t) * math.cos(omega * t + phi)
        g = -A * math.exp(-gamma * t) * math.sin(omega * t + phi)  # ∂f/∂φ
        slope = (f / A, -t * f, t * g, g)
        bend = (
            (0, -t * f / A, t * g / A, g / A),
            (-t * f / A, t * t * f, -t * t * g, -t * g),
            (t * g / A, -t * t * g, -t * t * f, -t * f),
            (g / A, -t * g, -t * f, -f),
        )
        for i in range(4):
            gradient[i] += (f - x) * slope[i] / fit.NOISE**2
            for j in range(4):
                H[i][j] += (slope[i] * slope[j] + (f - x) * bend[i][j]) / fit.NOISE**2
    _, found, matrix = fit.derivatives(p, data)
    assert found == pytest.approx(gradient, rel=CLOSE)
    for row, expected in zip(matrix, H, strict=True):
        assert row == pytest.approx(expected, rel=1e-12)


def test_physics_newton_doubles_the_digits() -> None:
    fit = demo("physics_fit")
    rows = fit.newton(fit.readings(random.Random(10)))
    lengths = [length for _, _, length, _ in rows]
    assert lengths[-1] < 1e-9 * lengths[0]
    digits = [math.log10(lengths[0] / length) for length in lengths[-4:-1]]
    assert all(after > 1.5 * before for before, after in itertools.pairwise(digits))


def test_physics_finds_the_truth_without_noise() -> None:
    fit = demo("physics_fit")
    exact = [(0.2 * i, float(fit.position(fit.TRUE, 0.2 * i))) for i in range(40)]
    assert fit.newton(exact)[-1][0] == pytest.approx(fit.TRUE, rel=1e-10)


def test_physics_solves() -> None:
    solve = demo("physics_fit").solve
    assert solve([[4.0, 2.0], [2.0, 3.0]], [2.0, 5.0]) == near([-0.5, 2.0])
    assert solve([[1.0, 2.0], [2.0, 1.0]], [1.0, 1.0]) is None


# The GPT


def test_gpt_starts_at_the_entropy_of_guessing() -> None:
    model = demo("gpt_names").GPT(random.Random(1))
    assert len(model.parameters()) == 4192
    assert model.loss("emma").data == pytest.approx(math.log(27), abs=0.1)


def test_gpt_is_the_one_written_for_the_benchmark() -> None:
    gpt = demo("gpt_names")
    model = gpt.GPT(random.Random(2))
    for p in model.parameters():
        p.data *= 5  # far enough from 0 for attention to matter
    parameters = model.parameters()
    model.loss("maria").backward()
    found = grads(parameters)
    copies = [Value(p.data) for p in parameters]
    other = bench_gpt.loss(copies, [gpt.END, *map(gpt.LETTERS.index, "maria"), gpt.END])
    other.backward()
    assert model.loss("maria").data == near(other.data)
    assert found == near(grads(copies))


def test_gpt_gradient_against_differences() -> None:
    model = demo("gpt_names").GPT(random.Random(1))
    model.loss("ada").backward()
    for weights in vars(model).values():
        weight = weights[1][2]  # the second letter is in no name: its row has no gradient
        there = weight.data
        weight.data = there + 1e-5
        high = model.loss("ada").data
        weight.data = there - 1e-5
        low = model.loss("ada").data
        weight.data = there
        assert weight.grad == pytest.approx((high - low) / 2e-5, abs=1e-8)


def test_gpt_does_not_look_ahead() -> None:
    gpt = demo("gpt_names")
    model = gpt.GPT(random.Random(1))

    def logits(word: str) -> list[list[float]]:
        keys: list[Any] = []
        values: list[Any] = []
        tokens = [gpt.END, *map(gpt.LETTERS.index, word)]
        return [[z.data for z in model.next_letter(model.token[t], keys, values)] for t in tokens]

    assert logits("anna")[:3] == logits("andy")[:3]
    assert logits("anna")[3] != logits("andy")[3]


def test_gpt_reads_names_as_rows() -> None:
    gpt = demo("gpt_names")
    model = gpt.GPT(random.Random(3))
    for p in model.parameters():
        p.data *= 5
    for name in ("jo", "emma", "rosalia"):
        model.loss(name).backward()
        expected = grads(model.parameters())
        assert sum(gpt.row_of(name, 9)) == len(name) + 1
        for p in model.parameters():
            p.grad = 0.0
        cost = model(gpt.row_of(name, 9))
        cost.backward()
        assert cost.data == near(model.loss(name).data)
        assert grads(model.parameters()) == near(expected)
        for p in model.parameters():
            p.grad = 0.0


# Real size


def idx(*shape: int, body: bytes) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) + body


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_is_read_from_files_plain_or_packed(packed: bool, tmp_path: Path) -> None:
    real_size = demo("real_size")
    pixels = bytes([0, 51, 102, 153, 204, 255] * 3)
    files = {"images-idx3": idx(3, 2, 3, body=pixels), "labels-idx1": idx(3, body=b"\7\0\2")}
    for name, content in files.items():
        if packed:
            (tmp_path / f"t10k-{name}-ubyte.gz").write_bytes(gzip.compress(content))
        else:
            (tmp_path / f"t10k-{name}-ubyte").write_bytes(content)
    X, y = real_size.read_mnist(tmp_path, "t10k", 2)
    assert X == [[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]] * 2
    assert y == [7, 0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no IDX file of bytes"),
        (b"\x1f\x8b\0\0", "is no IDX file of bytes: it starts with"),
        (bytes([0, 0, 13, 1, 0, 0, 0, 0]), "is no IDX file of bytes"),
        (idx(3, 2, 3, body=b"123"), "says it has 18 bytes, and has 3"),
    ],
)
def test_files_that_are_not_mnist(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=says):
        demo("real_size").read_idx(tmp_path / "file")


def test_mnist_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        demo("real_size").main(["--mnist", str(tmp_path)])
    assert "train-images-idx3-ubyte" in capsys.readouterr().err


# All of them


@pytest.mark.parametrize("name", NAMES)
def test_demo_says_what_it_is(name: str) -> None:
    text = (DEMOS / f"{name}.py").read_text(encoding="utf-8")
    document = demo(name).__doc__
    if name.startswith("s"):
        assert document.startswith(f"{name[:2].upper()} · ")
    assert f"python demos/{name}.py" in document
    assert "Worth a look:" in document
    assert 40 <= text.count("\n") <= (120 if name.startswith("s") else 220)
