"""Values or a program: the same history whatever the loss of a batch is, and what is chosen."""

from __future__ import annotations

import math
import random
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pytest

from micrograd_like import (
    MLP,
    SGD,
    Adam,
    Module,
    Value,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    clip_grad_norm,
    cross_entropy,
    fit,
    maximum,
    moons,
    mse_loss,
    programs,
)
from micrograd_like.training import as_program, choice, loop
from micrograd_like.training.as_program import AsProgram
from micrograd_like.training.choice import choose
from micrograd_like.training.history import History
from micrograd_like.training.model_only import ModelAsProgram, Weighted
from micrograd_like.training.reading import Examples
from micrograd_like.training.ways import OnValues, Work
from tests.support.commands import environment
from tests.support.trainings import (
    Scale,
    needs_compiled,
    numbers_in,
    numbers_of,
    train,
    without_seconds,
)

pytestmark = needs_compiled


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that cost nothing, so that "auto" compiles what is small."""
    monkeypatch.setattr(choice, "as_program_seconds", lambda *_: 0.0)


# Losses of a batch: those that are means over its examples are programs; of others the model is.


def squares(outputs: list[Any], targets: list[Any]) -> list[Any]:
    return [(o - t) ** 2 for o, t in zip(outputs, targets, strict=True)]


def weighted(outputs: list[Any], targets: list[Any]) -> Any:
    weights = [3.0 * t + 1.0 for t in targets]
    terms = [w * s for w, s in zip(weights, squares(outputs, targets), strict=True)]
    return reduce(add, terms) / reduce(add, weights)


def ranking(outputs: list[Any], targets: list[Any]) -> Any:
    """What is above in the data is wanted to be above by 1."""
    gaps = [
        (a - b) * (s - t)
        for a, s in zip(outputs, targets, strict=True)
        for b, t in zip(outputs, targets, strict=True)
    ]
    return reduce(add, [(1.0 - gap).relu() for gap in gaps]) / len(gaps)


def spread(outputs: list[Any], targets: list[Any]) -> Any:
    mean = reduce(add, outputs) / len(outputs)
    return mse_loss(outputs, targets) + reduce(add, [(o - mean) ** 2 for o in outputs])


def coupled_slope(outputs: list[Any], targets: list[Any]) -> Any:
    """The mean of the squares, with the gradient of another loss beside it."""
    other = reduce(add, outputs) ** 2
    return mse_loss(outputs, targets) + (other - other.detach()) * (len(outputs) > 1)


MEANS: dict[str, Callable[..., Any]] = {
    "mean": mse_loss,
    "mean of roots": lambda o, t: reduce(add, [(s + 1).sqrt() for s in squares(o, t)]) / len(o),
    "with a constant": lambda o, t: mse_loss(o, t) + 0.25,
}
OTHERS: dict[str, Callable[..., Any]] = {
    "root of the mean": lambda o, t: (mse_loss(o, t) + 1e-3).sqrt(),
    "sum": lambda o, t: reduce(add, squares(o, t)),
    "sum over the wanted size": lambda o, t: reduce(add, squares(o, t)) / 4,
    "maximum": lambda o, t: reduce(maximum, squares(o, t)),
    "weighted mean": weighted,
    "pairs in order": ranking,
    "spread": spread,
    "neighbours": lambda o, t: mse_loss(o, t) + (o[0] - o[-1]) ** 2,
    "gradient alone": coupled_slope,
    "logarithm": lambda o, t: (mse_loss(o, t) + 1.0).log(),
}


def regression(compile: bool | str, loss: Any, **more: Any) -> list[float]:
    rng = random.Random(3)
    X = [[rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(11)]
    y = [float(a > b) for a, b in X]
    model = MLP(2, [3, 1], activation="tanh", rng=rng)
    options: dict[str, Any] = {"batch_size": 4, "rng": rng, "compile": compile} | more
    optimizer = SGD(model.parameters(), lr=0.05)
    history = train(model, X, y, optimizer, 3, loss=loss, **options)
    return numbers_in(history) + numbers_of(model)


@pytest.mark.usefixtures("free")
@pytest.mark.parametrize("loss", MEANS.values(), ids=MEANS)
def test_a_mean_over_examples_is_a_program_with_the_same_history(loss: Any) -> None:
    expected = regression(False, loss)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for compile in (True, "auto"):
            assert regression(compile, loss) == pytest.approx(expected, rel=1e-9)


def ranked(outputs: list[Any], targets: list[Any]) -> Any:
    """Pairs in the order of their targets, which no graph shows."""
    pairs = [
        (a, b)
        for a, s in zip(outputs, targets, strict=True)
        for b, t in zip(outputs, targets, strict=True)
        if s > t
    ]
    return reduce(add, [(1.0 - (a - b)).relu() for a, b in pairs], Value(0.0))


def unbiased(outputs: list[Any], targets: list[Any]) -> Any:
    """Of one example alone there is no variance, and ZeroDivisionError."""
    mean = reduce(add, outputs) / len(outputs)
    return reduce(add, [(o - mean) ** 2 for o in outputs]) * (1 / (len(outputs) - 1))


ON_VALUES = OTHERS | {"ranked": ranked, "unbiased": unbiased}


@pytest.mark.usefixtures("free")
@pytest.mark.parametrize("loss", ON_VALUES.values(), ids=ON_VALUES)
def test_another_loss_of_a_batch_is_computed_on_values_and_the_model_is_a_program(
    loss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = regression(False, loss)
    ways: list[Any] = []

    def choosing(*work: Any) -> Any:
        ways.append(choose(*work))
        return ways[-1]

    monkeypatch.setattr(loop, "choose", choosing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for compile in (True, "auto"):
            assert regression(compile, loss) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert [type(way) for way in ways] == [ModelAsProgram] * 2


@pytest.mark.parametrize("loss", OTHERS.values(), ids=OTHERS)
def test_a_loss_that_is_no_mean_is_not_compiled_to_find_that_out(
    loss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    def making(values: OnValues, trace: Any) -> AsProgram:
        made.append(values)
        return AsProgram(values, trace)

    monkeypatch.setattr(choice, "AsProgram", making)
    with suppress(TypeError):  # choice asks whether a way is a program of the class replaced here
        regression(True, loss)
    assert [type(values) for values in made] == [Weighted]


class Penalised(Scale):
    """A model whose loss has its parameter, one of its own, and the model again."""

    def __init__(self) -> None:
        super().__init__(0.5)
        self.own = Value(0.25)

    def parameters(self) -> list[Value]:
        return [self.w, self.own]

    def loss(self, outputs: list[Any], targets: list[Any]) -> Any:
        spread = (mse_loss(outputs, targets) + 0.1).sqrt()
        return spread * self.own**2 + self.w.exp() + self([3.0]) * self.w.data


@pytest.mark.parametrize("batch_size", [2, 3, None])
@pytest.mark.parametrize("clip", [False, True])
def test_a_loss_on_values_may_have_parameters(batch_size: int | None, clip: bool) -> None:
    def run(compile: bool) -> list[float]:
        model = Penalised()
        optimizer = Adam(model.parameters(), lr=0.01)
        if clip:
            step = optimizer.step

            def clipped() -> None:
                clip_grad_norm(model.parameters(), 0.5)
                step()

            optimizer.step = clipped  # type: ignore[method-assign]
        data = [[0.5], [1.0], [2.0], [-1.0], [0.1]], [1.0, -1.0, 0.5, 0.0, 2.0]
        how: dict[str, Any] = {"loss": model.loss, "batch_size": batch_size, "compile": compile}
        how["rng"] = random.Random(2)
        validation = [[1.5], [0.7]], [0.3, 0.4]
        history = train(model, *data, optimizer, 7, validation=validation, **how)
        return [*numbers_in(history), model.w.data, model.own.data, model.w.grad, model.own.grad]

    assert run(True) == pytest.approx(run(False), rel=1e-12)


def test_a_loss_on_values_passes_nothing_where_its_slope_is_zero() -> None:
    """√w · x is not differentiable at w = 0, and a loss that ignores it must not say nan."""

    class Root(Scale):
        def __call__(self, x: Any) -> Any:
            return [self.w.sqrt() * x[0], self.w * x[0]]

    def loss(outputs: list[Any], targets: list[Any]) -> Any:
        return (sum((o[1] - t[0]) ** 2 for o, t in zip(outputs, targets, strict=True)) + 1.0).sqrt()

    def run(compile: bool) -> list[float]:
        model = Root(0.0)
        X, y = [[1.0], [2.0]], [[1.0, 0.0], [0.5, 0.0]]
        train(model, X, y, SGD([model.w], lr=0.5), 1, loss=loss, compile=compile)
        return [model.w.data, model.w.grad]

    # The slope of √(1 + Σ (w·x − t)²) at w = 0 is −Σ t·x / √(1 + Σ t²).
    slope = -2.0 / math.sqrt(2.25)
    assert run(True) == pytest.approx([-0.5 * slope, slope], rel=1e-14)
    assert run(False) == pytest.approx([-0.5 * slope, slope], rel=1e-14)


def test_a_loss_on_values_that_is_no_value_for_some_batch_says_so() -> None:
    def loss(outputs: list[Any], targets: list[Any]) -> Any:
        positive = [o for o, t in zip(outputs, targets, strict=True) if t > 0.0]
        return (sum(positive, Value(0.0)) ** 2 + 1.0).sqrt() if positive else 0.0

    for compile in (True, False):
        model = Scale(1.0)
        rows: dict[str, Any] = {"batch_size": 2, "rng": random.Random(4), "compile": compile}
        with pytest.raises(TypeError, match=r"the loss"):
            train(
                model,
                [[1.0]] * 8,
                [1.0, -1.0] * 4,
                SGD([model.w], 0.01),
                50,
                loss=loss,
                shuffle=True,
                **rows,
            )


@pytest.mark.parametrize("compile", [False, "auto", True])
def test_a_loss_that_no_batch_of_one_shows(compile: bool | str) -> None:
    """√(mean of 0² and 2²) is √2, and the mean of the roots 1."""
    model = Scale(1.0)
    data = [[0.0], [2.0]], [0.0, 0.0], SGD([model.w], lr=0.0)
    options: dict[str, Any] = {"loss": lambda o, t: mse_loss(o, t).sqrt(), "compile": compile}
    assert train(model, *data, **options).rows[0]["loss"] == math.sqrt(2)


# Decisions in Python, and what changes


class Decides(Scale):
    """w · x, or for some x, by `decide`, w · x²."""

    def __init__(self, decide: Callable[[Any], bool]) -> None:
        super().__init__(1.0)
        self.decide = decide

    def __call__(self, x: Any) -> Any:
        return self.w * x[0] * x[0] if self.decide(x) else self.w * x[0]


DECISIONS: dict[str, Callable[[Any], bool]] = {
    "float": lambda x: float(x[0]) > 100,
    "equal": lambda x: x[0] == 101.0,
    "text": lambda x: f"{float(x[0]):g}" == "101",
}


@pytest.mark.parametrize("place", [0, 1, 17, 60])
@pytest.mark.parametrize("decide", DECISIONS.values(), ids=DECISIONS)
def test_one_row_of_61_that_takes_another_branch_is_seen(
    decide: Callable[[Any], bool], place: int
) -> None:
    X = [[k / 30] for k in range(60)]
    X.insert(place, [101.0])
    model = Decides(decide)
    optimizer = SGD([model.w], lr=1e-9)
    with pytest.raises(ValueError, match=r"in another way (than example 0|from its numbers)"):
        train(model, X, [0.0] * 61, optimizer, compile=True, batch_size=10)
    assert (model.w.data, optimizer.steps) == (1.0, 0)


def test_one_row_of_the_validation_data_that_takes_another_branch_is_seen() -> None:
    model = Decides(DECISIONS["float"])
    held_out = [[1.0], [101.0], [2.0]], [0.0] * 3
    with pytest.raises(ValueError, match="example 1 is computed in another way"):
        train(model, [[1.0]], [0.0], SGD([model.w], lr=0.1), compile=True, validation=held_out)


def by_class(outputs: list[Any], targets: list[Any]) -> Any:
    return cross_entropy(outputs, targets, weight=[1.0, 4.0])


def by_target(outputs: list[Any], targets: list[Any]) -> Any:
    weight = [1 + 3 * t for t in targets]
    return binary_cross_entropy_with_logits(outputs, targets, weight=weight)


@pytest.mark.parametrize("batch_size", [None, 7, 1])
@pytest.mark.parametrize("case", ["binary", "probabilities", "indices"])
def test_a_weighted_loss_has_one_history(case: str, batch_size: int | None) -> None:
    def run(compile: bool) -> History:
        rng = random.Random(1)
        X, y = moons(20, rng=rng)
        targets = [[1.0 - t, float(t)] for t in y] if case == "probabilities" else y
        model = MLP(2, [4, 1 if case == "binary" else 2], rng=rng)
        how: dict[str, Any] = {"batch_size": batch_size, "compile": compile, "rng": rng}
        how["loss"] = by_target if case == "binary" else by_class
        return train(model, X, targets, SGD(model.parameters(), lr=0.1), 3, **how)

    eager = run(False)
    assert all(0.0 <= share <= 1.0 for share in eager["accuracy"])
    assert numbers_in(run(True)) == pytest.approx(numbers_in(eager), rel=1e-9)


class Changing:
    """A small network with things that a callback can change."""

    def __init__(self) -> None:
        self.net = MLP(1, [3, 1], activation="tanh", rng=random.Random(1))
        self.scale, self.temperature = 1.0, Value(1.0)
        self.optimizer: Any = None

    def parameters(self) -> list[Value]:
        return self.net.parameters()

    def __call__(self, x: Any) -> Any:
        return self.net(x) * self.scale * self.temperature

    def swap(self) -> None:
        for neuron in self.net.layers[0].neurons:
            neuron.activation = "sigmoid"

    def unfreeze(self) -> None:
        self.optimizer.params = self.parameters()

    def unfreeze_first(self) -> None:
        self.optimizer.params.insert(0, self.parameters()[-1])


CHANGES: dict[str, Callable[[Changing], object]] = {
    "coefficient": lambda model: setattr(model, "scale", 0.5),
    "a small coefficient": lambda model: setattr(model, "scale", 1 + 1e-10),
    "a new leaf": lambda model: setattr(model, "temperature", Value(0.5)),
    "a leaf's number": lambda model: setattr(model.temperature, "data", 0.5),
    "activation": Changing.swap,
    "unfreezing": Changing.unfreeze,
    "unfreezing before the others": Changing.unfreeze_first,
    "freezing": lambda model: model.optimizer.params.pop(1),
    "a parameter": lambda model: setattr(model.parameters()[0], "data", 0.125),
    "learning rate": lambda model: setattr(model.optimizer, "lr", 0.001),
}


def train_changing(compile: bool, change: Callable[[Changing], object]) -> list[float]:
    model = Changing()

    def callback(_: Any, row: dict[str, Any]) -> None:
        if row["epoch"] == 2:
            change(model)

    model.optimizer = Adam(model.parameters()[:4], lr=0.05)
    options: dict[str, Any] = {"callbacks": [callback], "batch_size": 2, "compile": compile}
    X, y = [[k / 3] for k in range(-3, 4)], [float(k) for k in range(7)]
    history = train(model, X, y, model.optimizer, 5, shuffle=False, **options)
    return numbers_in(history) + numbers_of(model)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_in_a_callback_is_followed(change: Callable[[Changing], object]) -> None:
    expected = train_changing(False, change)
    assert train_changing(True, change) == pytest.approx(expected, rel=1e-11)


REDUCTIONS: dict[str, Callable[[list[Any], list[Any]], Value]] = {
    "sum": lambda o, t: sum(squares(o, t), Value(0.0)),
    "greatest": lambda o, t: reduce(maximum, squares(o, t)),
    "first": lambda o, t: squares(o, t)[0],
}


@pytest.mark.parametrize("reduction", REDUCTIONS.values(), ids=REDUCTIONS)
def test_a_loss_that_is_no_longer_a_mean_is_followed(reduction: Any) -> None:
    """True though the loss of every example alone stays what it was."""

    def run(compile: bool) -> list[float]:
        losses = [mse_loss]

        def callback(model: Any, row: dict[str, Any]) -> None:
            if row["epoch"] in (2, 4):
                losses[0] = reduction if row["epoch"] == 2 else mse_loss

        model = MLP(1, [3, 1], activation="tanh", rng=random.Random(1))
        X, y = [[k / 3] for k in range(-3, 4)], [float(k) for k in range(7)]
        how: dict[str, Any] = {"loss": lambda o, t: losses[0](o, t), "callbacks": [callback]}
        how["rng"] = random.Random(2)
        optimizer = SGD(model.parameters(), 0.01)
        history = train(model, X, y, optimizer, 6, batch_size=3, compile=compile, **how)
        return numbers_in(history) + numbers_of(model)

    assert run(True) == pytest.approx(run(False), rel=1e-11)


@pytest.mark.usefixtures("free")
@pytest.mark.parametrize("place", [0, 17, 40])
@pytest.mark.parametrize("epoch", [1, 3, 5, 6])
def test_a_branch_of_one_example_that_a_callback_opens_is_said(place: int, epoch: int) -> None:
    class Limited(Scale):
        limit = 1e9

        def __call__(self, x: Any) -> Any:
            return self.w * x[0] if float(x[0]) < self.limit else self.w * 0.5

    def run(compile: bool | str) -> list[float]:
        def callback(model: Any, row: dict[str, Any]) -> None:
            if row["epoch"] == epoch:
                model.limit = 2.0

        model = Limited(0.5)
        X = [[k / 41] for k in range(41)]
        X[place] = [3.0]
        options: dict[str, Any] = {"callbacks": [callback], "compile": compile, "shuffle": False}
        return numbers_in(train(model, X, [1.0] * 41, SGD([model.w], lr=0.1), 6, **options))

    expected = run(False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = run("auto")
    texts = " ".join(str(warning.message) for warning in caught)
    assert found == pytest.approx(expected, rel=1e-9) or "may be other than with Values" in texts


def guarded(output: Value) -> Value:
    if output.data > 4.0:
        raise OverflowError("that is too much")
    return output


def test_a_guard_on_what_is_computed_is_no_program() -> None:
    class Guarded(Scale):
        def __call__(self, x: Any) -> Any:
            return guarded(self.w * x[0])

    model = Guarded(0.9)
    with pytest.raises(ValueError, match="with other parameters the graph is another one"):
        train(model, [[1.0]], [0.0], SGD([model.w], lr=0.1), compile=True)


@pytest.mark.parametrize("epochs", range(1, 8))
@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("callbacks", [[], [lambda _, row: None]])
def test_what_a_loss_refuses_ends_both_ways_alike(
    epochs: int, held_out: bool, callbacks: Any
) -> None:
    """The output passes 1 in the fourth step, and then is no probability."""

    def run(compile: bool) -> list[Any]:
        model = Scale(0.9)
        optimizer = Adam([model.w], lr=0.03)
        history, error = History(), ""
        options: dict[str, Any] = {"compile": compile, "callbacks": callbacks}
        X = [[1.0], [0.5]]
        if held_out:
            options["validation"] = X, [1.0, 0.0]
            X = [[0.5], [0.25]]
        try:
            train(
                model,
                X,
                [1.0, 1.0],
                optimizer,
                epochs,
                loss=binary_cross_entropy,
                history=history,
                **options,
            )
        except ValueError as raised:
            error = str(raised)
        return [error, optimizer.steps, history.stopped, *numbers_in(history), model.w.data]

    expected, found = run(False), run(True)
    assert found[:3] == expected[:3]
    assert found[3:] == pytest.approx(expected[3:], rel=1e-11)


BRANCHES: dict[str, Callable[[Value, Any], Any]] = {
    "threshold": lambda w, x: w * x if w.data > 0.5 else w * x * 0.5,
    "never met so far": lambda w, x: w * x if w.data < 3.0 else w * 0.0,
    "size": lambda w, x: w * x if abs(w.data) < 5.0 else w * x * 0.5,
    "product": lambda w, x: w * x if (w * x).data > 0 else w * x * 0.1,
    "the other way": lambda w, x: w * x * 0.5 if w.data <= -2.0 else w * x,
}


@pytest.mark.parametrize("lr", [0.0, 0.1])
@pytest.mark.parametrize("branch", BRANCHES.values(), ids=BRANCHES)
def test_a_branch_on_a_parameter_is_seen_before_it_turns(branch: Any, lr: float) -> None:
    class Turning(Scale):
        def __call__(self, x: Any) -> Any:
            return branch(self.w, x[0])

    model = Turning(0.9)
    optimizer = SGD([model.w], lr=lr)
    with pytest.raises(ValueError, match="with other parameters the graph is another one"):
        train(model, [[1.0], [2.0]], [0.0, 1.0], optimizer, 40, compile=True)
    assert (model.w.data, optimizer.steps) == (0.9, 0)


def test_parameters_that_a_loss_refuses_decide_nothing() -> None:
    """binary_cross_entropy raises for 10 · x, which is no probability."""
    for compile in (False, True):
        model = Scale(0.9)
        data = [[0.5], [1.0]], [0.0, 1.0], SGD([model.w], lr=0.01)
        history = train(model, *data, 3, loss=binary_cross_entropy, compile=compile)
        assert len(history.rows) == 3


def test_a_branch_that_turns_too_far_off_to_be_seen_is_said_when_it_does() -> None:
    class Turning(Scale):
        def __call__(self, x: Any) -> Any:
            return self.w * x[0] if not 0.40 < self.w.data < 0.45 else self.w * x[0] * 0.5

    model = Turning(0.9)
    optimizer = SGD([model.w], lr=0.005)
    with pytest.warns(RuntimeWarning, match="by the numbers of parameters"):
        train(model, [[1.0]], [0.0], optimizer, 75, compile=True)


READS: dict[str, Callable[[Value], Any]] = {
    "data": lambda w: w * (1.0 / (1.0 + w.data)),
    "float": lambda w: w + float(w) ** 2,
    "a new Value": lambda w: w * Value(w.data),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_number_of_a_parameter_that_would_be_a_constant_is_seen(read: Any) -> None:
    class Reads(Scale):
        def __call__(self, x: Any) -> Any:
            return read(self.w) * x[0]

    model = Reads(0.75)
    optimizer = SGD([model.w], lr=0.1)
    with pytest.raises(ValueError, match="with other parameters the graph is another one"):
        train(model, [[1.0], [2.0]], [0.0, 1.0], optimizer, compile=True)
    assert (model.w.data, optimizer.steps) == (0.75, 0)


# The choice


def work(rows: int, epochs: int, size: int = 10) -> Work:
    return Work(Examples([[0.0]] * rows, [0.0] * rows), Examples([], []), size, epochs)


def chosen(epochs: int, rows: int = 100) -> type:
    model = MLP(1, [16, 16, 1], rng=random.Random(0))
    optimizer = SGD(model.parameters(), lr=0.1)
    return type(choose("auto", model, mse_loss, optimizer, work(rows, epochs)))


def test_auto_compiles_what_is_long() -> None:
    assert chosen(1, rows=4) is OnValues
    assert chosen(10_000) is AsProgram


def test_a_program_that_is_there_costs_no_compiling() -> None:
    model = MLP(1, [16, 16, 1], rng=random.Random(0))
    optimizer = SGD(model.parameters(), lr=0.1)

    def way(epochs: int) -> type:
        return type(choose("auto", model, mse_loss, optimizer, work(100, epochs)))

    assert (way(1), way(10_000), way(1)) == (OnValues, AsProgram, AsProgram)


def test_a_program_is_compiled_once_for_several_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    make = programs.make_runner

    def counted(tape: Any, backend: str) -> Any:
        made.append(backend)
        return make(tape, backend)

    monkeypatch.setattr(programs, "make_runner", counted)
    model, rng = MLP(2, [3, 1], rng=random.Random(0)), random.Random(1)
    optimizer = SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        X = [[rng.random(), rng.random()] for _ in range(9)]
        train(model, X, [0.5] * 9, optimizer, compile=True)
    assert len(made) == 1
    for k in range(2, 9):
        train(
            model, X, [0.5] * 9, optimizer, compile=True, loss=lambda o, t, k=k: k * mse_loss(o, t)
        )
    assert len(made) == 8
    assert len(as_program._kept[model]) == 4
    count = len(as_program._kept)
    del model
    assert len(as_program._kept) == count - 1


def test_a_model_that_is_no_key_is_trained_without_being_kept() -> None:
    class Equal(Scale):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    model = Equal()
    train(model, [[1.0]], [1.0], SGD([model.w], lr=0.25), compile=True)
    assert model.w.data == 0.5


# Ctrl-C, timeouts and forks


@pytest.mark.usefixtures("free")
def test_ctrl_c_while_compiling_returns_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    make = programs.make_runner

    def pressed(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return make(*arguments)

    monkeypatch.setattr(programs, "make_runner", pressed)
    model = Scale(0.5)
    optimizer = SGD([model.w], lr=0.1)
    history = train(model, [[1.0]], [1.0], optimizer, 5, compile="auto")
    assert (history.rows, history.stopped, model.w.data) == ([], "interrupt", 0.5)
    assert optimizer.steps == 0


class TimeIsUpError(Exception):
    pass


@pytest.mark.usefixtures("free")
@pytest.mark.parametrize("compile", [False, "auto", True])
def test_a_timeout_while_the_model_runs_passes_and_leaves_ctrl_c_alive(compile: Any) -> None:
    def time_is_up(*_: Any) -> None:
        raise TimeIsUpError

    class Rings(Scale):
        calls = 0

        def __call__(self, x: Any) -> Any:
            self.calls += 1
            if self.calls == 2:
                signal.raise_signal(signal.SIGTERM)
            return super().__call__(x)

    model = Rings()
    kept, ctrl_c = signal.signal(signal.SIGTERM, time_is_up), signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(TimeIsUpError):
            train(model, [[1.0]], [1.0], SGD([model.w], lr=0.1), compile=compile)
        assert signal.getsignal(signal.SIGINT) is ctrl_c
    finally:
        signal.signal(signal.SIGTERM, kept)


FORK = """
import os, threading
from micrograd_like import MLP, SGD, fit, mse_loss
model = MLP(1, [1])
options = {"loss": mse_loss, "optimizer": SGD(model.parameters(), lr=0.1), "progress": False}
inside, go_on = threading.Event(), threading.Event()

def wait(model, row):
    inside.set()
    go_on.wait()

data = [[1.0]], [1.0]
thread = threading.Thread(target=lambda: fit(model, *data, epochs=1, callbacks=[wait], **options))
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    print(len(fit(model, *data, epochs=2, compile=False, **options).rows), flush=True)
    os._exit(0)
os.waitpid(child, 0)
go_on.set()
thread.join()
"""


@pytest.mark.skipif(not hasattr(sys, "getswitchinterval") or sys.platform == "win32", reason="fork")
def test_after_a_fork_the_child_may_train_what_a_thread_was_training(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    run = subprocess.run(
        command, env=environment(tmp_path), capture_output=True, text=True, timeout=300, check=False
    )
    assert (run.stdout, run.stderr) == ("2\n", "")


def test_a_shuffle_that_makes_other_numbers_is_refused_before_anything() -> None:
    class Wild(random.Random):
        def shuffle(self, x: Any) -> None:
            x[:] = [10**9] * len(x)

    bare = random.Random(1)
    bare.shuffle = lambda x: x.pop()  # type: ignore[method-assign]
    for rng in (Wild(), bare):
        for compile in (False, True):
            model = Scale(0.5)
            with pytest.raises(ValueError, match="a shuffle keeps each of them once"):
                train(
                    model,
                    [[1.0], [2.0]],
                    [1.0, 2.0],
                    SGD([model.w], lr=0.1),
                    rng=rng,
                    compile=compile,
                )
            assert model.w.data == 0.5


# Data that is read, and data that is refused


def test_tables_columns_and_bracketed_targets_are_read() -> None:
    numpy = pytest.importorskip("numpy")

    class Table:
        def __init__(self, data: Any) -> None:
            self.data = numpy.array(data)

        def to_numpy(self) -> Any:
            return self.data

        def __iter__(self) -> Any:
            return iter("columns")

    X, y = [[0.0], [1.0], [2.0]], [1.0, 0.0, 1.0]
    histories = []
    for rows, targets in (
        (X, y),
        (Table(X), Table(y)),
        (numpy.array(X), numpy.array(y).reshape(-1, 1)),
        (Table(X), [[t] for t in y]),
    ):
        for compile in (False, True):
            model = Scale(0.25)
            options: dict[str, Any] = {"compile": compile, "shuffle": numpy.True_}
            options |= {"rng": random.Random(1), "validation": (rows, targets)}
            optimizer = SGD([model.w], lr=0.1)
            loss = binary_cross_entropy_with_logits
            history = train(model, rows, targets, optimizer, 2, loss=loss, **options)
            histories.append([row["accuracy"] for row in without_seconds(history)])
            histories.append([round(x, 12) for x in numbers_in(history)])
    assert histories[0::2] == [histories[0]] * 8
    assert histories[1::2] == [histories[1]] * 8


class Cut(MLP):
    """A first layer whose outputs are plain numbers to the second."""

    def __call__(self, x: Any) -> Any:
        first, second = self.layers
        return second([float(out) for out in first(x)])


@pytest.mark.parametrize("compile", [False, True])
def test_a_parameter_that_no_path_leads_to_is_named(compile: bool) -> None:
    model: Any = Cut(1, [2, 1], rng=random.Random(1))
    arguments: dict[str, Any] = {"loss": mse_loss, "epochs": 1, "progress": False}
    arguments["optimizer"] = SGD(model.parameters(), lr=0.1)
    before = numbers_of(model)
    says = r"no path leads from the loss to layers\.0\.neurons\.0\.w\.0, .* and 1 more"
    with pytest.raises(ValueError, match=says):
        fit(model, [[1.0]], [1.0], compile=compile, **arguments)
    assert numbers_of(model) == before
    fit(model, [[1.0]], [1.0], compile=False, allow_unused=True, **arguments)
    assert numbers_of(model) != before
    arguments["optimizer"] = SGD(model.layers[1].parameters(), lr=0.1)
    fit(model, [[1.0]], [1.0], compile=False, **arguments)  # the first layer is frozen anyway


def test_a_parameter_that_only_some_examples_use_is_used() -> None:
    class Table(Scale):
        def __init__(self) -> None:
            super().__init__()
            self.rows = [Value(0.0), Value(0.0), Value(0.0)]

        def parameters(self) -> list[Value]:
            return self.rows

        def __call__(self, x: Any) -> Any:
            return self.rows[int(float(x[0]))] * 1.0

    model = Table()
    train(model, [[0], [1], [2]], [1.0, 2.0, 3.0], SGD(model.rows, lr=0.5), 40)
    with pytest.raises(ValueError, match=r"to parameters\(\)\[1\], so training"):
        train(model, [[0], [2]], [1.0, 3.0], SGD(model.rows, lr=0.5))


class Branching(Scale):
    """w · x, for x below zero 0: decided by Python, and so not the same in every row."""

    def __call__(self, x: Any) -> Any:
        return self.w * x[0] if float(x[0]) > 0.0 else self.w * 0.0


def train_branching(compile: bool | str) -> float:
    model = Branching(1.0)
    fit(
        model,
        [[1.0], [-1.0]],
        [2.0, 3.0],
        loss=mse_loss,
        optimizer=SGD([model.w], lr=0.25),
        epochs=1,
        compile=compile,
        progress=False,
    )
    return model.w.data


BRANCHED = 1.25  # the slope is 2 · (1 − 2) · 1 / 2, from the first example alone


@pytest.mark.usefixtures("free")
def test_a_model_that_branches_is_trained_on_values_with_a_warning() -> None:
    says = r'^compile="auto" is False here, which is slower: ValueError: .* something in Python'
    with pytest.warns(RuntimeWarning, match=says) as caught:
        assert train_branching("auto") == BRANCHED
    assert [warning.filename for warning in caught] == [__file__]  # who called fit


def test_nobody_is_warned_who_asked_for_values_or_has_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert train_branching(False) == BRANCHED
    monkeypatch.setattr("micrograd_like.training.choice.installed", lambda *packages: False)
    assert train_branching("auto") == BRANCHED


@pytest.mark.usefixtures("free")
def test_where_warnings_are_errors_nothing_is_trained() -> None:
    model = Branching(1.0)
    optimizer = SGD([model.w], lr=0.25)
    with pytest.raises(RuntimeWarning):
        train(model, [[1.0], [-1.0]], [2.0, 3.0], optimizer, compile="auto")
    assert (model.w.data, optimizer.steps) == (1.0, 0)


@pytest.mark.parametrize("place", [1, 20])
def test_a_model_that_branches_is_no_program(place: int) -> None:
    """True if an example among the first branches, or a later one with a target of its own."""
    model = Branching(1.0)
    optimizer = SGD([model.w], lr=0.25)
    X, y = [[1.0]] * place + [[-1.0]], [2.0] * place + [3.0]
    says = rf"^example {place} is computed in another way than example 0, .* decides something"
    with pytest.raises(ValueError, match=says):
        train(model, X, y, optimizer, compile=True)
    assert (model.w.data, optimizer.steps) == (1.0, 0)


def test_examples_are_compared_as_often_where_epochs_go_at_one_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = []

    def counted(*arguments: Any) -> bool:
        compared.append(len(history.rows))
        return choice.same_for_a_few(*arguments)

    monkeypatch.setattr(as_program, "PIECE", 1e6)
    monkeypatch.setattr(loop, "epochs_between_checks", lambda *_: 5)
    monkeypatch.setattr(loop, "same_for_a_few", counted)
    model = MLP(1, [2, 1], rng=random.Random(0))
    history = History()
    train(
        model,
        [[0.5], [1.0]],
        [1.0, 0.0],
        SGD(model.parameters(), 0.1),
        compile=True,
        epochs=18,
        shuffle=False,
        history=history,
    )
    assert len(history.rows) == 18
    assert compared == [5, 10, 15, 18]


def test_few_examples_are_compared_by_two_losses() -> None:
    """The estimate of the time it takes counts on no more."""
    sizes = []

    def loss(scores: list[Value], targets: list[float]) -> Any:
        sizes.append(len(targets))
        return mse_loss(scores, targets)

    model = MLP(1, [2, 1], rng=random.Random(0))
    examples = Examples([[0.5], [1.0], [-1.0], [2.0]], [1.0, 0.0, 0.5, 2.0])
    work = Work(examples, Examples([], []), 4, 1)
    program = choose(True, model, loss, SGD(model.parameters(), 0.1), work)
    assert isinstance(program, AsProgram)
    sizes.clear()
    on_values = OnValues(model, loss, SGD(model.parameters(), 0.1))
    assert choice.same_for_a_few(program, on_values, work, 1)
    assert sizes == [1, 3]


class Clipped(SGD):
    calls = 0

    def step(self) -> None:
        self.calls += 1
        clip_grad_norm(self.params, 0.1)
        super().step()


def test_a_step_of_the_users_own_is_taken() -> None:
    """As a clipped one is, in a class derived from ours; a program would step past it."""
    found = []
    for compile in (False, True):
        model = MLP(1, [3, 1], activation="tanh", rng=random.Random(1))
        optimizer = Clipped(model.parameters(), lr=0.01)
        X = [[i / 10] for i in range(-10, 10)]
        y = [50.0 * x + 1.0 for [x] in X]
        options: dict[str, Any] = {"optimizer": optimizer, "loss": mse_loss, "compile": compile}
        fit(model, X, y, epochs=20, shuffle=False, progress=False, **options)
        assert (optimizer.calls, optimizer.steps) == (20, 20)
        found.append([parameter.data for parameter in model.parameters()])
    assert found[1] == pytest.approx(found[0], rel=1e-9)


class Accumulating(SGD):
    """Every gradient stays, by half, until the next."""

    def zero_grad(self) -> None:
        for parameter in self.params:
            parameter.grad *= 0.5


def test_gradients_are_set_back_as_the_user_does() -> None:
    found = []
    for compile in (False, True):
        model = MLP(1, [3, 1], activation="tanh", rng=random.Random(1))
        X = [[i / 10] for i in range(-10, 10)]
        fit(
            model,
            X,
            [x for [x] in X],
            loss=mse_loss,
            optimizer=Accumulating(model.parameters(), lr=0.01),
            epochs=20,
            batch_size=7,
            shuffle=False,
            progress=False,
            compile=compile,
        )
        found.append([parameter.data for parameter in model.parameters()])
    assert found[1] == pytest.approx(found[0], rel=1e-9)


class Dropping(Module):
    """A half of the inputs is left out, at random."""

    def __init__(self) -> None:
        self.inner = MLP(2, [3, 1], activation="tanh", rng=random.Random(1))

    def __call__(self, x: Any) -> Any:
        return self.inner([random.choice([0.0, 2.0]) * xi for xi in x])


def test_a_model_that_draws_is_not_seen_to_have_been_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "compiling_seconds", lambda nodes: -1e9)
    X = [[i / 10, 1 - i / 10] for i in range(-10, 10)]

    def losses(compile: bool | str) -> Any:
        random.seed(5)
        model = Dropping()
        optimizer = SGD(model.parameters(), lr=0.01)
        options: dict[str, Any] = {"optimizer": optimizer, "loss": mse_loss, "compile": compile}
        return fit(model, X, [x for x, _ in X], epochs=3, progress=False, **options)["loss"]

    kept = random.getstate()
    try:
        expected = losses(False)
        with pytest.warns(RuntimeWarning, match="decides something in Python"):
            assert losses("auto") == expected
    finally:
        random.setstate(kept)


class CutForOne(Module):
    """The numbers are those of w·x + b, and one row gives w no gradient."""

    def __init__(self, row: int) -> None:
        self.w, self.b, self.row = Value(0.1), Value(0.0), row

    def __call__(self, x: Any) -> Value:
        own = not isinstance(x[0], Value) and x[0] == float(self.row)
        w = Value(self.w.data) if own else self.w
        out: Value = w * x[0] + self.b
        return out


@pytest.mark.parametrize("row", [1, 7, 19])
def test_a_gradient_that_is_cut_for_one_row_is_seen(row: int) -> None:
    X = [[float(i)] for i in range(20)]
    model = CutForOne(row)
    optimizer = SGD(model.parameters(), lr=0.0)
    with pytest.raises(ValueError, match=f"example {row} is computed in another way"):
        fit(model, X, [1.0] * 20, loss=mse_loss, optimizer=optimizer, epochs=1, compile=True)
