"""Outputs for many rows, both ways, and the table of right and wrong classes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from micrograd_like import (
    MLP,
    Layer,
    Module,
    Neuron,
    Value,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    confusion_table,
    cross_entropy,
    hinge_loss,
    mse_loss,
    ops,
    predict,
    programs,
)
from micrograd_like.training import prediction
from tests.support.trainings import needs_compiled

RNG = random.Random(4)
X = [[RNG.uniform(-2.0, 2.0), RNG.uniform(-2.0, 2.0)] for _ in range(40)]


class Decides(Module):
    """Python decides by a row."""

    def __init__(self) -> None:
        self.w = Value(2.0)

    def __call__(self, x: Any) -> Any:
        return self.w * x[0] if float(x[0]) > 0.0 else self.w + x[1]


MODELS: dict[str, Callable[[], Any]] = {
    "MLP": lambda: MLP(2, [5, 3], rng=random.Random(1)),
    "one output": lambda: MLP(2, [5, 1], activation="tanh", bias=False, rng=random.Random(1)),
    "an operation": lambda: Layer(2, 1, activation=ops.tanh, rng=random.Random(1)),
    "Neuron": lambda: Neuron(2, rng=random.Random(1)),
}
OWN: dict[str, Callable[[], Any]] = {
    "a function": lambda: Neuron(2, activation=lambda z: z if z.data > 0.0 else -z),
    "a class": Decides,
    "a part": lambda: Layer(2, 2),
}


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that cost nothing, so that what is small is compiled."""
    monkeypatch.setattr(prediction, "compiling_seconds", lambda _: -1.0)


def by_hand(model: Any, rows: Any) -> list[Any]:
    outputs = [model(row) for row in rows]
    return [o.data if isinstance(o, Value) else [x.data for x in o] for o in outputs]


@pytest.mark.parametrize("make", [*MODELS.values(), *OWN.values()], ids=[*MODELS, *OWN])
def test_outputs_are_those_of_the_model(make: Any) -> None:
    model = make()
    assert predict(model, X[:5]) == by_hand(model, X[:5])
    assert predict(model, iter(X[:5])) == by_hand(model, X[:5])
    assert predict(model, []) == []


@needs_compiled
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_program_gives_the_same(make: Any, free: None, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []
    compile = programs.compile

    def counted(*graph: Any) -> Any:
        compiled.append(compile(*graph))
        return compiled[0]

    monkeypatch.setattr(programs, "compile", counted)
    model = make()
    for found, expected in zip(predict(model, X), by_hand(model, X), strict=True):
        assert found == pytest.approx(expected, rel=1e-13)
    assert len(compiled) == 1


@pytest.mark.parametrize("make", OWN.values(), ids=OWN)
def test_where_python_may_decide_nothing_is_compiled(make: Any, free: None) -> None:
    model = make()
    if isinstance(model, Layer):
        model.neurons[1] = Decides()  # type: ignore[call-overload]
    assert predict(model, X) == by_hand(model, X)


@pytest.mark.parametrize(
    ("model", "rows", "error", "says"),
    [
        (Neuron(2), [[1.0, 2.0], [3.0]], ValueError, r"X: row 1 has 1 number\(s\), row 0 has 2"),
        (Neuron(2), [[1.0]], ValueError, r"expected 2 input\(s\), got 1"),
        (Neuron(1), 3.0, TypeError, "X is a sequence, got float"),
        (Neuron(1), [["a"]], TypeError, "X: row 0, column 0: expected a real number"),
        (lambda row: 3.0, [[1.0]], TypeError, r"model returns a Value or a list of them, got 3\.0"),
        (
            lambda row: row[0] if row[0] < 0.0 else Value(row[0]),
            [[1.0], [-2.0]],
            TypeError,
            r"model returns a Value or a list of them, got -2\.0",
        ),
        (
            lambda row: [Value(x) for x in row[: int(row[0])]],
            [[2.0, 5.0], [1.0, 5.0]],
            ValueError,
            "model returns a list of 2 for row 0 and a list of 1 for row 1",
        ),
        (
            lambda row: Value(1.0) if row[0] > 0.0 else [Value(0.0)],
            [[1.0], [1.0], [-1.0]],
            ValueError,
            "model returns one Value for row 0 and a list of 1 for row 2",
        ),
    ],
)
def test_what_cannot_be_predicted(model: Any, rows: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        predict(model, rows)


# The table of classes.


@pytest.mark.parametrize("one_hot", [False, True])
def test_several_outputs_are_counted_by_class_and_answer(one_hot: bool) -> None:
    model = MODELS["MLP"]()
    y: list[Any] = [random.Random(i).randrange(3) for i in range(len(X))]
    answers = [max(range(3), key=output.__getitem__) for output in predict(model, X)]
    expected = Counter(zip(y, answers, strict=True))
    if one_hot:
        y = [[float(t == k) for k in range(3)] for t in y]
    table = confusion_table(model, X, y)
    assert table.classes == [0, 1, 2]
    assert table.counts == [[expected[i, j] for j in range(3)] for i in range(3)]
    assert sum(map(sum, table.counts)) == len(X)
    heading, *rows = str(table).splitlines()
    assert heading == "class  → 0  → 1  → 2"
    assert [[*map(int, row.split()[1:])] for row in rows] == table.counts
    assert "<table>" in table._repr_html_()


@pytest.mark.parametrize(
    ("loss", "low", "threshold"),
    [
        (binary_cross_entropy_with_logits, 0, 0.0),
        (lambda o, t: binary_cross_entropy_with_logits(o, t, [1 + 4 * x for x in t]), 0, 0.0),
        (hinge_loss, -1, 0.0),
        (mse_loss, 0, 0.5),
        (binary_cross_entropy, 0, 0.5),
    ],
)
def test_one_output_answers_by_the_threshold_of_the_loss(
    loss: Any, low: int, threshold: float
) -> None:
    model = Neuron(1, activation="linear")
    model.load_state_dict({"w.0": 1.0, "b": threshold})
    rows, y = [[-0.25], [-0.1], [0.1], [0.2], [0.3]], [low, 1, low, 1, 1]
    for targets in (y, [[t] for t in y]):
        table = confusion_table(model, rows, targets, loss=loss)
        assert (table.classes, table.counts) == ([low, 1], [[1, 1], [1, 2]])


@pytest.mark.parametrize(
    ("model", "y", "how", "says"),
    [
        (Neuron(1), [0, 1], {}, r"two classes, and the loss tells where .* loss=hinge_loss\)"),
        (Neuron(1), [0, 0.5], {"loss": mse_loss}, "no classes 0 and 1 or -1 and 1"),
        (Neuron(1), [-1, 1], {"loss": binary_cross_entropy}, "or this loss has no threshold"),
        (Layer(1, 2), [0, 2], {"loss": cross_entropy}, "target 1 is 2, which means none of the 2"),
        (Layer(1, 2), [0, 1, 1], {}, r"X has 2 row\(s\) and y 3"),
        (Layer(1, 2, activation=lambda z: (z - z).log() * 0), [0, 1], {}, "example 0 is nan"),
    ],
)
def test_what_has_no_table(model: Any, y: Any, how: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        confusion_table(model, [[0.5], [1.0]], y, **how)
