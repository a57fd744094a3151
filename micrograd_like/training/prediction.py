"""A model's answers: outputs for many rows, and the table of right and wrong classes."""

from __future__ import annotations

from typing import Any, NamedTuple

from micrograd_like._internal.extras import installed
from micrograd_like._internal.text import aligned, html_table
from micrograd_like.engine import Value, topological_order
from micrograd_like.nn import MLP, Layer, Neuron
from micrograd_like.operation import Op
from micrograd_like.training.choice import COMPILED_NODE, NODE, compiling_seconds
from micrograd_like.training.metrics import Loss, class_of, sides_of
from micrograd_like.training.reading import read_examples, read_rows, without_brackets
from micrograd_like.training.ways import items, numbers


def predict(model: Any, X: Any) -> list[Any]:
    """The outputs of `model` for the rows of `X`, as numbers: a float each, or a list of them.

    A program computes them if that saves time and the model is an MLP, a Layer or a Neuron whose
    activations have names: in other models Python may decide something by a row.

    Raises TypeError or ValueError for rows that are none, as `fit` does, TypeError for a model
    whose output is no Value and no list of Values, and ValueError where it is now this and now that
    or lists differ in length.

    >>> model = Neuron(2, activation="tanh")
    >>> model.load_state_dict({"w.0": 1.0, "w.1": -1.0, "b": 0.5})
    >>> predict(model, [[0.5, 1.0], [-0.5, 0.0]])
    [0.0, 0.0]
    """
    rows = read_rows(X, "X")
    if not rows:
        return []
    first = output_of(model, rows[0])
    nodes = sum(len(topological_order(x)) for x in items(first))
    as_program = compiling_seconds(nodes) + len(rows) * nodes * COMPILED_NODE
    saves = as_program < len(rows) * nodes * NODE / 2
    if saves and installed("numpy", "llvmlite") and _decides_nothing(model):
        from micrograd_like.programs import compile

        inputs = [Value(x) for x in rows[0]]
        return compile(model(inputs), inputs)(rows)
    found = [numbers(first), *(numbers(output_of(model, row)) for row in rows[1:])]
    widths = [len(output) if isinstance(output, list) else 0 for output in found]
    for i, width in enumerate(widths):
        if width != widths[0]:
            raise ValueError(
                f"model returns {_outputs(widths[0])} for row 0 and {_outputs(width)} for row {i}: "
                "it returns one Value, or lists of the same length"
            )
    return found


def _outputs(width: int) -> str:
    return f"a list of {width}" if width else "one Value"


def output_of(model: Any, row: Any) -> Value | list[Value]:
    """The output of `model` for a row; TypeError if it is no Value and no list of them."""
    output = model(row)
    values = [output] if isinstance(output, Value) else output
    if not isinstance(values, list | tuple) or not all(isinstance(x, Value) for x in values):
        raise TypeError(f"model returns a Value or a list of them, got {output!r:.80}")
    return output if isinstance(output, Value) else list(values)


def _decides_nothing(model: Any) -> bool:
    """True if the model is made of our own parts alone, so that every row has one graph."""
    layers = model.layers if type(model) is MLP else [model]
    neurons = [n for layer in layers for n in (layer.neurons if type(layer) is Layer else [layer])]
    return all(type(n) is Neuron and isinstance(n.activation, str | Op) for n in neurons)


class ConfusionTable(NamedTuple):
    """The answers of a model by class; it shows as a table, right answers on its diagonal.

    - `classes`: their numbers, in order.
    - `counts`: for each class a list of how many of its examples got each class as the answer.
    """

    classes: list[int]
    counts: list[list[int]]

    def __repr__(self) -> str:
        columns = "  ".join("<" + ">" * len(self.classes))
        return "\n".join(aligned([self._heading(), *self._rows()], columns))

    def _repr_html_(self) -> str:
        return html_table(self._rows(), self._heading())

    def _heading(self) -> list[str]:
        return ["class", *(f"→ {x}" for x in self.classes)]

    def _rows(self) -> list[list[str]]:
        return [[str(x), *map(str, row)] for x, row in zip(self.classes, self.counts, strict=True)]


def confusion_table(model: Any, X: Any, y: Any, *, loss: Loss | None = None) -> ConfusionTable:
    """The number of examples of each class that `model` answers with each class.

    Several outputs answer with the index of the greatest. One output answers with one of two
    classes, 0 and 1 or −1 and +1; `loss`, the one it was trained by, says at which threshold they
    meet, as for the accuracy that `fit` measures.

    Raises ValueError for targets that are no classes, for one output without `loss` or with one
    that tells no threshold, and for an output of nan; otherwise as `predict`.

    >>> model = Neuron(1, activation="linear")
    >>> model.load_state_dict({"w.0": 1.0, "b": 0.0})
    >>> from micrograd_like import hinge_loss
    >>> confusion_table(model, [[-2], [-1], [1], [2]], [-1, -1, -1, 1], loss=hinge_loss)
    class  → -1  → 1
    -1        2    1
    1         0    1
    """
    examples = read_examples(X, y)
    outputs = predict(model, examples.rows)
    for i, output in enumerate(outputs):
        if any(x != x for x in items(output)):
            raise ValueError(f"the output for example {i} is nan, which answers with no class")
    if isinstance(outputs[0], list):
        classes = list(range(len(outputs[0])))
        answers = [max(classes, key=output.__getitem__) for output in outputs]
        given: list[Any] = [class_of(target, len(classes)) for target in examples.targets]
    else:
        given = without_brackets(examples).targets
        if loss is None:
            raise ValueError(
                "a model with one output has two classes, and the loss tells where they meet: give "
                "it too, as in confusion_table(model, X, y, loss=hinge_loss)"
            )
        sides = sides_of(loss, given)
        if sides is None:
            raise ValueError(
                "the targets are no classes 0 and 1 or -1 and 1, or this loss has no threshold "
                "between them"
            )
        classes = [sides.low, sides.high]
        answers = [classes[output > sides.threshold] for output in outputs]
    if None in given:
        i = given.index(None)
        raise ValueError(
            f"y: target {i} is {examples.targets[i]!r:.80}, which means none of the "
            f"{len(classes)} classes of this model"
        )
    counts = [[0] * len(classes) for _ in classes]
    for true, answer in zip(given, answers, strict=True):
        counts[classes.index(true)][classes.index(answer)] += 1
    return ConfusionTable(classes, counts)
