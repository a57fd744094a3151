"""`fit`: its arithmetic against plain loops, its order, patience, going on, and what goes wrong."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from micrograd_like import (
    MLP,
    SGD,
    Adam,
    AnomalyError,
    History,
    Value,
    binary_cross_entropy_with_logits,
    cross_entropy,
    detect_anomaly,
    fit,
    hinge_loss,
    moons,
    mse_loss,
)
from micrograd_like.training.history import Best
from tests.support import trainings
from tests.support.trainings import (
    X5,
    Y5,
    Scale,
    both_ways,
    needs_compiled,
    numbers_in,
    numbers_of,
    train,
    train_on_moons,
    without_seconds,
)

# The numbers of an epoch


@both_ways
@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 7, None])
def test_an_epoch_is_the_plain_loop(batch_size: int | None, compile: bool) -> None:
    model, lr = Scale(), 0.1
    optimizer = SGD([model.w], lr=lr)
    options: dict[str, Any] = {
        "epochs": 3,
        "batch_size": batch_size,
        "shuffle": False,
        "compile": compile,
    }
    history = train(model, X5, Y5, optimizer, **options)
    w, losses, size = 0.0, [], batch_size or 5
    for _ in range(3):
        squares = []
        for i in range(0, 5, size):
            batch = [(x, t) for [x], t in zip(X5[i : i + size], Y5[i : i + size], strict=True)]
            squares += [(w * x - t) ** 2 for x, t in batch]
            w -= lr * sum(2 * (w * x - t) * x for x, t in batch) / len(batch)
        losses.append(sum(squares) / 5)
    assert [row["loss"] for row in history.rows] == pytest.approx(losses, rel=1e-13)
    assert model.w.data == pytest.approx(w, rel=1e-13)
    assert optimizer.steps == 3 * math.ceil(5 / size)
    assert [row["epoch"] for row in history.rows] == [1, 2, 3]
    assert history.stopped == "epochs"


@both_ways
def test_a_share_of_the_examples_is_held_out_at_the_end(compile: bool) -> None:
    def run(X: Any, y: Any, **more: Any) -> list[float]:
        model = Scale(0.25)
        how = {"rng": random.Random(1), "compile": compile, "batch_size": 2, **more}
        history = train(model, X, y, SGD([model.w], lr=0.1), 3, **how)
        return [*numbers_in(history), model.w.data]

    for share, held in ((0.2, 1), (0.5, 2), (0.6, 3), (0.9, 4)):
        first, last = (X5[:-held], Y5[:-held]), (X5[-held:], Y5[-held:])
        assert run(X5, Y5, validation_split=share) == run(*first, validation=last)


@pytest.mark.parametrize(
    ("share", "more", "error", "says"),
    [
        (0.0, {}, ValueError, r"a share between 0 and 1, got 0\.0"),
        (1, {}, ValueError, "a share between 0 and 1, got 1"),
        (math.nan, {}, ValueError, "a share between 0 and 1, got nan"),
        ("0.2", {}, TypeError, "validation_split: expected a real number, got str"),
        (0.05, {}, ValueError, r"=0\.05 of 5 example\(s\) is 0: one at least is needed on both"),
        (0.95, {}, ValueError, r"=0\.95 of 5 example\(s\) is 5: one at least"),
        (0.2, {"validation": (X5, Y5)}, ValueError, r"validation_split=0\.2 are both given"),
    ],
)
def test_a_share_that_is_none(share: Any, more: Any, error: Any, says: str) -> None:
    model = Scale(0.25)
    with pytest.raises(error, match=says):
        train(model, X5, Y5, SGD([model.w], lr=0.1), validation_split=share, **more)
    assert model.w.data == 0.25


def test_the_loss_of_one_batch_is_its_loss_to_the_bit() -> None:
    for seed in range(20):
        rng = random.Random(seed)
        X, y = [[rng.random()] for _ in range(7)], [rng.random() for _ in range(7)]
        model = Scale(0.3)
        expected = mse_loss([model(x) for x in X], y).data
        history = train(model, X, y, SGD([model.w], lr=0.1), shuffle=False)
        assert history.rows[0]["loss"] == expected


def test_every_epoch_takes_every_example_once_in_the_order_of_the_generator() -> None:
    seen: list[float] = []

    def recording_loss(outputs: list[Any], targets: list[Any]) -> Any:
        seen.extend(targets)
        return mse_loss(outputs, targets)

    model = Scale()
    X, y = [[float(i)] for i in range(10)], [i + 0.5 for i in range(10)]
    options: dict[str, Any] = {
        "epochs": 3,
        "batch_size": 4,
        "metrics": (),
        "rng": random.Random(11),
    }
    train(model, X, y, SGD([model.w], lr=1e-3), loss=recording_loss, **options)
    shuffler, expected = random.Random(11), []
    for _ in range(3):
        order = list(range(10))
        shuffler.shuffle(order)
        expected.append([i + 0.5 for i in order])
    epochs = [seen[i : i + 10] for i in range(0, len(seen), 10)]
    assert epochs == [y, *expected]  # first the trial, before anything changes
    assert expected[0] != expected[1]


def test_without_shuffling_no_random_number_is_drawn() -> None:
    model = Scale()
    random.seed(3)
    before = random.getstate()
    train(model, X5, Y5, SGD([model.w], lr=0.1), shuffle=False)
    assert random.getstate() == before
    train(model, X5, Y5, SGD([model.w], lr=0.1))
    assert random.getstate() != before


@both_ways
def test_the_same_seed_gives_the_same_history_to_the_bit(compile: bool) -> None:
    one, two, three = (train_on_moons(seed, compile=compile) for seed in (1, 1, 2))
    assert without_seconds(one[2]) == without_seconds(two[2])
    assert numbers_of(one[0]) == numbers_of(two[0])
    assert without_seconds(one[2]) != without_seconds(three[2])


@needs_compiled
def test_compiled_gives_the_history_of_eager() -> None:
    held_out = moons(15, rng=random.Random(9))
    (a, _, eager), (b, _, compiled) = (
        train_on_moons(compile=compile, validation=held_out) for compile in (False, True)
    )
    assert numbers_in(compiled) == pytest.approx(numbers_in(eager), rel=1e-9)
    assert numbers_of(b) == pytest.approx(numbers_of(a), rel=1e-9)


@both_ways
def test_validation_is_measured_at_the_end_of_the_epoch_and_teaches_nothing(compile: bool) -> None:
    X, y = moons(15, rng=random.Random(9))
    measured = []

    def measure(model: Any, row: dict[str, Any]) -> None:
        logits = [model(x).data for x in X]
        right = [(z > 0) == t for z, t in zip(logits, y, strict=True)]
        measured.append((binary_cross_entropy_with_logits(logits, y), sum(right) / 15))

    options: dict[str, Any] = {"callbacks": [measure], "compile": compile}
    model, _, history = train_on_moons(validation=(X, y), **options)
    found = [(row["val_loss"], row["val_accuracy"]) for row in history.rows]
    assert found == [pytest.approx(pair, rel=1e-12) for pair in measured]
    assert numbers_of(model) == numbers_of(train_on_moons(compile=compile)[0])


def test_loss_and_metrics_of_an_epoch_belong_to_the_right_examples() -> None:
    rng = random.Random(5)
    X, y = moons(21, rng=rng)
    model = MLP(2, [1], rng=rng)
    logits = [model(x).data for x in X]
    given: list[Any] = []

    def gap(outputs: list[float], targets: list[int]) -> float:
        given.append(sorted(zip(outputs, targets, strict=True)))
        return math.fsum(abs(z - t) for z, t in zip(outputs, targets, strict=True))

    standing_still = SGD(model.parameters(), lr=0.0)
    options: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 4,
        "metrics": ("accuracy", gap),
        "rng": rng,
    }
    loss = binary_cross_entropy_with_logits
    history = train(model, X, y, standing_still, loss=loss, validation=(X, y), **options)
    for row in history.rows:
        for prefix in ("", "val_"):
            right = [(z > 0) == t for z, t in zip(logits, y, strict=True)]
            assert row[f"{prefix}accuracy"] == sum(right) / 21
            assert row[f"{prefix}gap"] == math.fsum(
                map(abs, map(float.__sub__, logits, map(float, y)))
            )
            assert row[f"{prefix}loss"] == pytest.approx(loss(logits, y), rel=1e-14)
    assert given == [sorted(zip(logits, y, strict=True))] * 4


def test_a_row_has_all_columns_and_none_where_nothing_is_measured() -> None:
    row = train_on_moons(epochs=1)[2].rows[0]
    assert list(row) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]
    assert (row["val_loss"], row["val_accuracy"]) == (None, None)
    assert 0.0 < row["seconds"] < 60.0
    model = Scale()
    regression = train(model, X5, Y5, SGD([model.w], lr=0.1))
    assert regression.rows[0]["accuracy"] is None


@both_ways
def test_several_outputs_take_indices_or_probabilities(compile: bool) -> None:
    rng = random.Random(2)
    X = [[rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(30)]
    indices = [0 if a > 0.5 else 1 if b > 0 else 2 for a, b in X]
    histories = []
    for y in (indices, [[float(k == i) for i in range(3)] for k in indices]):
        model = MLP(2, [8, 3], init="he", rng=random.Random(4))
        options: dict[str, Any] = {"epochs": 25, "batch_size": 10, "rng": random.Random(6)}
        options |= {"loss": cross_entropy, "compile": compile}
        histories.append(train(model, X, y, Adam(model.parameters(), lr=0.05), **options))
    by_index, by_share = histories
    assert by_index.rows[-1]["accuracy"] >= 0.9
    assert numbers_in(by_share) == pytest.approx(numbers_in(by_index), rel=1e-6)


def test_numpy_arrays_train_as_lists_do() -> None:
    numpy = pytest.importorskip("numpy")
    histories = []
    for make in (list, numpy.array, tuple):
        rng = random.Random(3)
        X, y = moons(12, rng=rng)
        model = MLP(2, [4, 1], rng=rng)
        options: dict[str, Any] = {
            "loss": binary_cross_entropy_with_logits,
            "rng": rng,
            "epochs": 2,
        }
        options["validation"] = (make(X[:4]), make(y[:4]))
        optimizer = SGD(model.parameters(), lr=0.1)
        histories.append(without_seconds(train(model, make(X), make(y), optimizer, **options)))
    assert histories[0] == histories[1] == histories[2]


def test_no_epochs_change_nothing() -> None:
    model = Scale(0.5)
    optimizer = SGD([model.w], lr=0.1)
    history = train(model, X5, Y5, optimizer, epochs=0)
    assert (history.rows, history.stopped) == ([], "epochs")
    assert (model.w.data, optimizer.steps) == (0.5, 0)


@both_ways
def test_learning_rates_may_be_functions_of_the_step(compile: bool) -> None:
    model = Scale()
    optimizer = SGD([model.w], lr=lambda step: 0.1 / (step + 1))
    options: dict[str, Any] = {"epochs": 2, "batch_size": 1, "shuffle": False, "compile": compile}
    train(model, X5[:2], Y5[:2], optimizer, **options)
    w = 0.0
    for step in range(4):
        [x], t = X5[step % 2], Y5[step % 2]
        w -= 0.1 / (step + 1) * 2 * (w * x - t) * x
    assert model.w.data == pytest.approx(w, rel=1e-13)


# Patience


def climb(
    wanted: float, patience: int | None, epochs: int = 20, **more: Any
) -> tuple[Scale, History]:
    """A weight that goes 1, 2, 3 … while validation wants it to be `wanted`."""

    def loss(outputs: list[Any], targets: list[float]) -> Any:
        [output], [target] = outputs, targets
        return -output if target == 1000.0 else (output - target) ** 2

    model = Scale()
    options: dict[str, Any] = {
        "loss": loss,
        "validation": ([[1.0]], [wanted]),
        "patience": patience,
    } | more
    return model, train(model, [[1.0]], [1000.0], SGD([model.w], lr=1.0), epochs, **options)


@pytest.mark.parametrize(("best", "patience"), [(1, 1), (3, 1), (3, 4), (7, 2)])
def test_patience_stops_and_restores_the_best(best: int, patience: int) -> None:
    model, history = climb(best + 0.25, patience)
    assert history.stopped == "patience"
    assert len(history.rows) == best + patience
    assert model.w.data == best
    assert history.best == (best, 0.0625, [float(best)])
    assert min(row["val_loss"] for row in history.rows) == 0.0625


def test_the_best_is_restored_when_the_epochs_run_out_first() -> None:
    model, history = climb(3.25, patience=10, epochs=6)
    assert (history.stopped, len(history.rows), model.w.data) == ("epochs", 6, 3.0)


def test_an_equal_loss_is_no_improvement() -> None:
    model, history = climb(1.5, patience=1)  # epochs 1 and 2 are equally far away
    assert (len(history.rows), model.w.data) == (2, 1.0)


@both_ways
def test_patience_without_validation_watches_the_training_loss(compile: bool) -> None:
    model = Scale(1.0)
    # Each step multiplies the weight by −1.5, away from the 0 that the loss wants.
    optimizer = SGD([model.w], lr=1.25)
    history = train(model, [[1.0]], [0.0], optimizer, 50, patience=3, compile=compile)
    assert history.best == (1, 2.25, [-1.5])
    assert (model.w.data, len(history.rows), history.stopped) == (-1.5, 4, "patience")


@both_ways
@pytest.mark.parametrize("patience", [None, 4])
def test_a_loss_of_nan_ends_the_training_and_is_never_the_best(
    patience: int | None, compile: bool
) -> None:
    model = Scale(1.0)
    options: dict[str, Any] = {
        "loss": lambda outputs, targets: (outputs[0] + targets[0]).log(),
        "patience": patience,
        "compile": compile,
    }
    says = (
        r"became nan in epoch 1: in a batch with example 0, log of -4\.0 gives nan; try a smaller"
    )
    with pytest.warns(RuntimeWarning, match=says) as caught:
        history = train(model, [[1.0]], [-5.0], SGD([model.w], lr=0.1), 50, **options)
    assert [warning.filename for warning in caught] == [trainings.__file__]  # who called fit
    assert math.isnan(history.rows[0]["loss"])
    assert (len(history.rows), history.stopped, history.best) == (1, "nan", None)


# Going on


def stop_at(epoch: int) -> Any:
    def stop(model: Any, row: dict[str, Any]) -> None:
        if row["epoch"] == epoch:
            raise ConnectionError

    return stop


@both_ways
@pytest.mark.parametrize("patience", [None, 3])
def test_a_resumed_run_equals_the_uninterrupted_one_to_the_bit(
    patience: int | None, compile: bool
) -> None:
    X, y = moons(20, rng=random.Random(0))
    options: dict[str, Any] = {"loss": binary_cross_entropy_with_logits, "batch_size": 8}
    options |= {"compile": compile, "patience": patience}
    options["validation"] = moons(15, rng=random.Random(9))

    def start() -> tuple[MLP, Adam]:
        model = MLP(2, [6, 1], init="he", rng=random.Random(1))
        return model, Adam(model.parameters(), lr=0.3)

    unbroken, optimizer = start()
    whole = train(unbroken, X, y, optimizer, 14, rng=random.Random(2), **options)
    assert whole.stopped == ("patience" if patience else "epochs")
    for cut in (1, 2, len(whole.rows) - 1, len(whole.rows)):
        broken, its_optimizer = start()
        rng, history = random.Random(2), History()
        options |= {"rng": rng, "history": history}
        with pytest.raises(ConnectionError):
            train(broken, X, y, its_optimizer, 14, callbacks=[stop_at(cut)], **options)
        assert len(history.rows) == cut
        resumed, optimizer = start()
        resumed.load_state_dict(broken.state_dict())
        optimizer.load_state_dict(its_optimizer.state_dict())
        train(resumed, X, y, optimizer, 14 - cut, **options)
        del options["rng"], options["history"]
        assert without_seconds(history) == without_seconds(whole)
        assert numbers_of(resumed) == numbers_of(unbroken)
        assert (history.stopped, history.best) == (whole.stopped, whole.best)


def test_patience_starts_afresh_where_a_finished_history_goes_on() -> None:
    _, history = climb(2.25, patience=2)
    assert (len(history.rows), history.best) == (4, (2, 0.0625, [2.0]))
    kept = History(history.rows, history.stopped, history.best)
    _, same = climb(2.25, patience=3, history=history)
    assert same is history
    assert [row["epoch"] for row in history.rows] == [1, 2, 3, 4, 5, 6, 7]
    for cut in (5, 6, 7):  # and it goes on counting where that run is cut short
        again = History(kept.rows, kept.stopped, kept.best)
        with pytest.raises(ConnectionError):
            climb(2.25, patience=3, history=again, callbacks=[stop_at(cut)])
        climb(2.25, patience=3, history=again)
        assert (len(again.rows), again.stopped) == (7, "patience")


@pytest.mark.parametrize("cut", [1, 3, 4])
def test_patience_is_not_renewed_by_a_break_before_anything_was_best(cut: int) -> None:
    options: dict[str, Any] = {
        "loss": lambda outputs, targets: outputs[0] * 0.0 + math.inf,
        "patience": 4,
        "history": History(),
    }
    model = Scale(1.0)
    data = [[1.0]], [-5.0], SGD([model.w], lr=0.1), 50
    with pytest.raises(ConnectionError):
        train(model, *data, callbacks=[stop_at(cut)], **options)
    history = train(model, *data, **options)
    assert (len(history.rows), history.stopped, history.best) == (4, "patience", None)


def test_patience_counts_from_where_it_was_asked() -> None:
    history = History()
    with pytest.raises(ConnectionError):
        climb(2.25, None, history=history, callbacks=[stop_at(9)])
    climb(2.25, patience=2, history=history)
    # The weight begins at 0 again, so epoch 11 is the best.
    assert (len(history.rows), history.stopped, history.best) == (13, "patience", (11, 0.0625, [2]))


# The state that it leaves behind

LR = 0.1


def descend(w: float, b: float, epochs: int, size: int) -> tuple[float, float]:
    """The weight of w·x + b after plain descent on the squared error, and its last gradient."""
    examples = [(x, t) for [x], t in zip(X5, Y5, strict=True)]
    slope = 0.0
    for _ in range(epochs):
        for i in range(0, len(examples), size):
            batch = examples[i : i + size]
            slope = sum(2 * (w * x + b - t) * x for x, t in batch) / len(batch)
            w -= LR * slope
    return w, slope


class Line(Scale):
    """w · x + b."""

    def __init__(self) -> None:
        super().__init__(0.25)
        self.b = Value(0.5)

    def __call__(self, x: Any) -> Any:
        return self.w * x[0] + self.b

    def parameters(self) -> list[Value]:
        return [self.w, self.b]


class Plain:
    """An optimiser of one's own: it has no rule that could run on arrays."""

    def __init__(self, parameters: Sequence[Value]) -> None:
        self.parameters = parameters

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = 0.0

    def step(self) -> None:
        for parameter in self.parameters:
            parameter.data -= LR * parameter.grad


@both_ways
def test_what_the_optimizer_was_not_given_stays(compile: bool) -> None:
    model = Line()
    options: dict[str, Any] = {"batch_size": 2, "shuffle": False, "compile": compile}
    train(model, X5, Y5, SGD([model.w], lr=LR), 3, **options)
    assert model.w.data == pytest.approx(descend(0.25, 0.5, 3, 2)[0], rel=1e-13)
    assert model.b.data == 0.5


@both_ways
def test_gradients_are_those_of_the_last_batch(compile: bool) -> None:
    model = Scale(0.25)
    options: dict[str, Any] = {"batch_size": 2, "shuffle": False, "compile": compile}
    train(model, X5, Y5, SGD([model.w], lr=LR), 3, **options)
    w, slope = descend(0.25, 0.0, 3, 2)
    assert model.w.data == pytest.approx(w, rel=1e-13)
    assert model.w.grad == pytest.approx(slope, rel=1e-13)


@both_ways
def test_an_optimizer_of_ones_own_takes_its_own_steps(compile: bool) -> None:
    model = Scale(0.25)
    options: dict[str, Any] = {"batch_size": 2, "shuffle": False, "compile": compile}
    train(model, X5, Y5, Plain([model.w]), 3, **options)
    assert model.w.data == pytest.approx(descend(0.25, 0.0, 3, 2)[0], rel=1e-13)


# Callbacks and errors


@both_ways
def test_callbacks_see_the_model_as_it_is_and_may_change_it(compile: bool) -> None:
    calls: list[tuple[int, float]] = []

    def halve(model: Any, row: dict[str, Any]) -> None:
        calls.append((row["epoch"], model.w.data))
        model.w.data *= 0.5

    model = Scale()
    train(model, [[1.0]], [4.0], SGD([model.w], lr=0.25), 3, callbacks=[halve], compile=compile)
    # w goes half of the way to 4, and is halved: 2 → 1, 2.5 → 1.25, 2.625 → 1.3125
    assert calls == [(1, 2.0), (2, 2.5), (3, 2.625)]
    assert model.w.data == 1.3125


@both_ways
def test_a_callback_that_raises_loses_nothing(compile: bool) -> None:
    def fail(model: Any, row: dict[str, Any]) -> None:
        if row["epoch"] == 3:
            raise ZeroDivisionError("the disk is full")

    kept = History()
    with pytest.raises(ZeroDivisionError, match="the disk is full") as caught:
        train_on_moons(callbacks=[fail], history=kept, compile=compile, epochs=9)
    history = caught.value.history  # type: ignore[attr-defined]
    assert history is kept
    assert (len(history.rows), history.stopped) == (3, "error")
    assert "3 epoch(s)" in caught.value.__notes__[0]
    assert without_seconds(history) == without_seconds(train_on_moons(compile=compile)[2])[:3]


def test_an_exception_that_takes_no_attribute_still_passes() -> None:
    class Bare(BaseException):
        def __setattr__(self, name: str, x: object) -> None:
            raise AttributeError(name)

    def fail(model: Any, row: dict[str, Any]) -> None:
        raise Bare

    with pytest.raises(Bare):
        train_on_moons(callbacks=[fail])


# Anomalies


class Root(Scale):
    """√(w · x), whose slope at 0 is inf, and which is nan below."""

    def __call__(self, x: Any) -> Any:
        return (self.w * x[0]).sqrt()


ROWS = [[float(x)] for x in (1, 4, 9, 2, 3, 5, 6)]


def anomaly(compile: bool, bad: float, **more: Any) -> tuple[str, Root, SGD]:
    """The error where the last example, or of validation the second, is bad."""
    model = Root(1.0)
    optimizer = SGD([model.w], lr=0.01)
    options = {"batch_size": 2, "rng": random.Random(3), "compile": compile, "history": History()}
    rows = ROWS if "validation" in more else [*ROWS, [bad]]
    with detect_anomaly(), pytest.raises(AnomalyError) as caught:
        train(model, rows, [1.0] * len(rows), optimizer, 3, **options | more)
    history = caught.value.history  # type: ignore[attr-defined]
    assert (history.rows, history.stopped) == ([], "error")
    return str(caught.value), model, optimizer


@both_ways
def test_an_anomaly_in_a_step_is_named_and_leaves_whole_steps(compile: bool) -> None:
    order = list(range(8))
    random.Random(3).shuffle(order)
    before = order.index(7) // 2
    assert before == 1  # a step; then comes the batch with example 7, as its number 0 or 1
    forward, model, optimizer = anomaly(compile, -1.0)
    assert "forward: sqrt" in forward
    assert "gives nan" in forward
    backward, other, its_optimizer = anomaly(compile, 0.0)
    assert "backward: sqrt" in backward
    if compile:
        assert forward.startswith("row 7: ")
        assert backward.startswith("row 7: ")
    plain = Root(1.0)
    first = [ROWS[k] for k in order[:2]]
    train(plain, first, [1.0, 1.0], SGD([plain.w], lr=0.01), shuffle=False, compile=compile)
    assert model.w.data == other.w.data == plain.w.data != 1.0
    assert optimizer.steps == its_optimizer.steps == before


@both_ways
def test_an_anomaly_in_validation_is_named(compile: bool) -> None:
    said, _, optimizer = anomaly(compile, 0.0, validation=([[1.0], [-2.0]], [1.0, 1.0]))
    assert "forward: sqrt" in said
    if compile:
        assert said.startswith("row 1: ")
    assert optimizer.steps == 4


@both_ways
def test_without_detect_anomaly_the_same_training_stops_and_says_where(compile: bool) -> None:
    model = Root(1.0)
    options = {"batch_size": 2, "rng": random.Random(3), "compile": compile}
    says = r"the loss became nan in epoch 1: in a batch with example 7, sqrt of -0\.98\d* gives nan"
    with pytest.warns(RuntimeWarning, match=says):
        history = train(model, [*ROWS, [-1.0]], [1.0] * 8, SGD([model.w], lr=0.01), 3, **options)
    assert (len(history.rows), history.stopped) == (1, "nan")
    assert math.isnan(history.rows[0]["loss"])
    assert math.isnan(model.w.data)


@both_ways
def test_fit_runs_in_a_thread(compile: bool) -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(train_on_moons(compile=compile)))
    thread.start()
    thread.join()
    assert without_seconds(found[0][2]) == without_seconds(train_on_moons(compile=compile)[2])


# Bad arguments


def good() -> dict[str, Any]:
    model = MLP(2, [3, 1], rng=random.Random(0))
    X, y = moons(10, rng=random.Random(1))
    return {
        "model": model,
        "X": X,
        "y": y,
        "loss": binary_cross_entropy_with_logits,
        "optimizer": SGD(model.parameters(), lr=0.1),
        "epochs": 2,
        "rng": random.Random(2),
    }


MOONS = moons(10, rng=random.Random(1))
BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "X of other length": ({"X": MOONS[0][:9]}, ValueError, r"9 row\(s\) and y 10 target\(s\)"),
    "nothing": ({"X": [], "y": []}, ValueError, "X and y are empty"),
    "ragged": ({"X": [*MOONS[0][:9], [1.0]]}, ValueError, r"row 9 has 1 number\(s\), row 0 has 2"),
    "rows too short": ({"X": [[1.0]] * 10}, ValueError, r"expected 2 input\(s\), got 1"),
    "text": ({"X": [*MOONS[0][:9], [1.0, "2"]]}, TypeError, "X: row 9, column 1: .*str: '2'"),
    "X is text": ({"X": "0123456789"}, TypeError, "X is a sequence, got str: '0123456789'"),
    "X is flat": ({"X": [1.0] * 10}, TypeError, r"X: row 0 is a sequence of numbers, got 1\.0"),
    "nan": ({"X": [*MOONS[0][:9], [1.0, math.nan]]}, ValueError, "X: row 9, column 1 is nan"),
    "class of text": ({"y": ["a"] * 10}, TypeError, "y: target 0: .*str: 'a'"),
    "no target": ({"y": None}, TypeError, "y is a sequence, got NoneType"),
    "binary 2": ({"y": [*MOONS[1][:9], 2], "batch_size": 3}, ValueError, "2"),
    "validation 2": ({"validation": ([[0.0, 1.0]], [2])}, ValueError, "2"),
    "validation alone": ({"validation": MOONS[0]}, TypeError, r"validation is a pair \(X, y\)"),
    "validation rows": ({"validation": ([[1.0]], [1])}, ValueError, r"validation X .* 1 number"),
    "validation text": ({"validation": ([["a", 1]], [1])}, TypeError, "validation X: row 0, col"),
    "batch of 0": ({"batch_size": 0}, ValueError, "batch_size is at least 1, got 0"),
    "broken batch": ({"batch_size": 2.5}, TypeError, r"batch_size .* got float: 2\.5"),
    "epochs": ({"epochs": -1}, ValueError, "epochs is at least 0, got -1"),
    "shuffle": ({"shuffle": "x"}, TypeError, "shuffle is True or False, got str: 'x'"),
    "progress": ({"progress": "x"}, TypeError, "progress is True or False, got str: 'x'"),
    "many epochs": ({"epochs": "ten"}, TypeError, "epochs is a whole number, got str: 'ten'"),
    "patience": ({"patience": 0}, ValueError, "patience is at least 1, got 0"),
    "compile": ({"compile": "gpu"}, ValueError, "compile is True, False or 'auto', got 'gpu'"),
    "metric": ({"metrics": ["acuracy"]}, ValueError, "unknown metric 'acuracy'"),
    "metrics": ({"metrics": "accuracy"}, TypeError, "metrics is a list such as"),
    "rng": ({"rng": 42}, TypeError, r"rng .*got int: 42; for a seed write random\.Random"),
    "loss by name": ({"loss": "mse"}, TypeError, "loss is a function such as mse_loss, got 'mse'"),
    "loss of floats": (
        {"loss": lambda z, t: 0.5},
        TypeError,
        r"the loss returned a plain number, 0\.5",
    ),
    "model": ({"model": MLP}, TypeError, "model is a Module such as"),
    "no model": ({"model": abs}, TypeError, "model is a Module such as"),
    "optimizer": ({"optimizer": "adam"}, TypeError, "optimizer is one such as .* got 'adam'"),
    "optimizer class": ({"optimizer": SGD}, TypeError, "optimizer is one such as"),
    "other's optimizer": ({"optimizer": SGD([Value(1.0)], lr=0.1)}, ValueError, "has none of the"),
    "callback": ({"callbacks": [1]}, TypeError, r"callbacks is a list of functions, got \[1\]"),
    "bare callback": ({"callbacks": print}, TypeError, "callbacks is a list of functions, got <b"),
    "history": ({"history": []}, TypeError, r"history is one that fit returned, got \[\]"),
    "other's history": (
        {"history": History(best=Best(1, 0.5, [1.0]))},
        ValueError,
        r"1 parameter\(s",
    ),
}


@pytest.mark.parametrize(("changes", "error", "message"), BAD.values(), ids=BAD)
def test_bad_arguments_are_named_before_anything_changes(
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = good()
    model, optimizer, rng = (arguments[name] for name in ("model", "optimizer", "rng"))
    before = numbers_of(model), optimizer.state_dict(), rng.getstate()
    with pytest.raises(error, match=message):
        fit(**arguments | changes)
    assert (numbers_of(model), optimizer.state_dict(), rng.getstate()) == before
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("loss", "targets", "message"),
    [(cross_entropy, [0] * 9 + [10], "10"), (cross_entropy, [0] * 9 + [-1], "-1")],
)
def test_a_class_out_of_range_is_named_before_anything_changes(
    loss: Any, targets: list[int], message: str
) -> None:
    model = MLP(2, [10], rng=random.Random(0))
    before = numbers_of(model)
    optimizer = SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=message):
        fit(model, MOONS[0], targets, loss=loss, optimizer=optimizer, epochs=1, batch_size=2)
    assert (numbers_of(model), optimizer.steps) == (before, 0)


def test_hinge_targets_are_signs() -> None:
    model = MLP(2, [1], rng=random.Random(0))
    optimizer = SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="0"):
        fit(model, *MOONS, loss=hinge_loss, optimizer=optimizer, epochs=1)
    signs = [2 * label - 1 for label in MOONS[1]]
    history = train(model, MOONS[0], signs, optimizer, loss=hinge_loss)
    assert 0.0 <= history.rows[0]["accuracy"] <= 1.0


class Cut(Scale):
    """A model that loses its graph in a function of math."""

    def __call__(self, x: Any) -> Any:
        return math.tanh(self.w * x[0])


class HalfCut(Scale):
    def __call__(self, x: Any) -> Any:
        return [self.w * x[0], math.exp(self.w)]


CUTS: dict[str, tuple[Any, Any, Any, str]] = {
    "model": (Cut, mse_loss, Y5, r"the model returned .* its parameters are Values.*v\.tanh\(\)"),
    "one of its outputs": (HalfCut, mse_loss, [[y, y] for y in Y5], r"output 1 .*v\.exp\(\)"),
    "loss": (Scale, lambda o, t: math.sqrt(mse_loss(o, t)), Y5, r"the loss .*v\.sqrt\(\)"),
    "loss by float": (Scale, lambda o, t: float(mse_loss(o, t)) * 2, Y5, "the loss .*constant"),
}


@both_ways
@pytest.mark.parametrize(("model", "loss", "y", "message"), CUTS.values(), ids=CUTS)
def test_a_graph_that_is_cut_is_named_with_the_method_to_use(
    model: Any, loss: Any, y: Any, message: str, compile: bool
) -> None:
    made = model()
    with pytest.raises(TypeError, match=message):
        train(made, X5, y, SGD([made.w], lr=0.1), loss=loss, compile=compile)


@pytest.mark.parametrize("output", [None, [], "x"])
def test_a_model_that_returns_no_values_is_named(output: Any) -> None:
    class Odd(Scale):
        def __call__(self, x: Any) -> Any:
            return output

    model = Odd()
    with pytest.raises(TypeError, match="model returns a Value or a list of them, got"):
        fit(model, X5, Y5, loss=mse_loss, optimizer=SGD([model.w], lr=0.1), epochs=1)
