"""The ways to do the arithmetic of `fit`: on Values, batch by batch; others run a program."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from micrograd_like._internal.cuts import cut
from micrograd_like._internal.interrupts import not_by_a_handler, uninterrupted
from micrograd_like.engine import Value, columns_of
from micrograd_like.graph import nodes_of
from micrograd_like.operation import NUMBER
from micrograd_like.optim import Optimizer
from micrograd_like.training.metrics import Loss
from micrograd_like.training.reading import Examples

Outputs = Any
Computed = tuple[list[float], list[Any]]
"""The loss and the output of each example, as numbers."""


class Work(NamedTuple):
    """The work to do: examples, of which `size` are a batch, `held_out` ones, and epochs."""

    examples: Examples
    held_out: Examples
    size: int
    epochs: int

    @property
    def steps(self) -> int:
        return self.epochs * -(-len(self.examples.rows) // self.size)


class Way(Protocol):
    """A runner of the model for `fit`. Outputs are a list, or an array with a row for each.

    `data` is what `read` made of examples, `batch` the numbers of those that are meant.

    - `parameters`: those that take part.
    - `before`: their numbers before the last step; none where all that it computed was finite.
    """

    before: Sequence[float]

    @property
    def parameters(self) -> list[Value]: ...

    def read(self, examples: Examples) -> Any:
        """The examples in the form that this way works on, which has their `targets` too."""

    def steps(self, data: Any, order: Sequence[int], size: int) -> tuple[list[float], Outputs]:
        """Do optimiser steps for the first of the batches of that size that `order` has.

        One step, or several; each is done wholly or not at all. Return their losses, and their
        outputs from before each step.
        """

    def evaluate(self, data: Any, batch: Sequence[int]) -> tuple[float, Outputs]:
        """Return loss and outputs, and change nothing."""

    def sync(self) -> None:
        """Make the model and the optimiser show what has been done so far."""


def cost_of(loss: Loss, outputs: list[Any], targets: list[Any]) -> Value:
    """The loss of a batch; TypeError if that is no Value."""
    cost = loss(outputs, targets)
    if isinstance(cost, NUMBER):
        raise cut("the loss", loss, cost)
    if not isinstance(cost, Value):
        raise TypeError(f"loss returns a Value, got {type(cost).__name__}: {cost!r:.80}")
    return cost


class OnValues:
    """The way that builds the graph of every batch anew and runs backward through it."""

    def __init__(self, model: Any, loss: Loss, optimizer: Any) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.before: Sequence[float] = ()
        self._kind: Any = list  # of the outputs of an example, where these are several

    @cached_property
    def parameters(self) -> list[Value]:
        """See `Way`; to find them takes as long as the graphs of a few examples."""
        return _leaves_of(self.model, self.optimizer)

    def read(self, examples: Examples) -> Examples:
        """The examples as they are."""
        return examples

    def steps(self, data: Examples, order: Sequence[int], size: int) -> tuple[list[float], Outputs]:
        """See `Way`."""
        self.before = [parameter.data for parameter in self.parameters]
        cost, outputs = self.graph(data, order[:size])
        found = [cost.data], [numbers(output) for output in outputs]
        self.optimizer.zero_grad()
        cost.backward()
        with uninterrupted():
            self.optimizer.step()
        return found

    def graph(self, data: Examples, batch: Sequence[int]) -> tuple[Value, list[Any]]:
        """Loss and outputs of a batch, as Values."""
        outputs = [self.model(data.rows[i]) for i in batch]
        self._kind = type(outputs[0])
        return cost_of(self.loss, outputs, [data.targets[i] for i in batch]), outputs

    def evaluate(self, data: Examples, batch: Sequence[int]) -> tuple[float, Outputs]:
        """See `Way`."""
        # A forward pass builds a graph even when nobody needs it: keep that of one row at a time.
        outputs = []
        for i in batch:
            output = self.model(data.rows[i])
            self._kind = type(output)
            outputs.append(numbers(output))
        targets = [data.targets[i] for i in batch]
        return cost_of(self.loss, [self.leaves(x) for x in outputs], targets).data, outputs

    def trace(self, examples: Examples, i: int = 0) -> Trace:
        """The graph of example `i`."""
        return Trace(self.model, self.loss, self.optimizer, examples, i)

    def leaves(self, numbers: Any) -> Any:
        """An output of these numbers, of the kind that the model returned last."""
        found = leaves(numbers)
        if isinstance(found, Value) or self._kind in (list, Value):
            return found
        return self._kind(*found) if hasattr(self._kind, "_fields") else self._kind(found)

    def sync(self) -> None:
        """Nothing to do: the model is where the work is done."""


class Trace:
    """The graph of one example: its loss and outputs, of inputs that stand for any example's.

    - `inputs`: the numbers of a row and of its target, where the index of a class is one
      probability for each class.
    - `parameters`: the leaves that are the same in every example's graph; `moved`, which the
      optimiser moves, come first. Leaves that are made anew for each example are constants.
    - `digest`: a hash of all this, the same for graphs that compute the same of their inputs.
    """

    def __init__(
        self, model: Any, loss: Loss, optimizer: Any, examples: Examples, example: int = 0
    ) -> None:
        self.example = example
        roots, self.inputs = self._read(model, loss, examples, example)
        nodes = nodes_of(*roots)
        lasting = set(_leaves_of(model, optimizer))
        if fresh := {node for node in nodes if not node.op} - lasting - set(self.inputs):
            again, _ = self._read(model, loss, examples, example)
            lasting |= fresh.intersection(nodes_of(*again))
        found = [node for node in nodes if node in lasting]
        if isinstance(optimizer, Optimizer):
            self.moved = list(optimizer.params)
            self.parameters = list(dict.fromkeys([*self.moved, *found]))
        else:  # nobody knows which it moves
            self.moved = self.parameters = list(dict.fromkeys([*model.parameters(), *found]))
        self.roots, self.nodes = roots, nodes
        self.digest = self._digest()

    def _read(
        self, model: Any, loss: Loss, examples: Examples, example: int
    ) -> tuple[list[Value], list[Value]]:
        row = [Value(x) for x in examples.rows[example]]
        output = model(row)
        self.single = isinstance(output, Value)
        outputs = [output] if self.single else list(output)
        given = examples.targets[example]
        self.classes = 0 if self.single or not isinstance(given, int) else len(outputs)
        target = [Value(x) for x in self.target(given)]
        many = self.classes or isinstance(given, list)
        try:
            cost = loss([output], [target if many else target[0]])
        except not_by_a_handler(TypeError) as error:
            raise TypeError(
                "a program is made with Values in the place of an example's numbers, and a "
                f"probability for each class in that of an index; the loss can't take them: {error}"
            ) from error
        return [cost, *outputs], [*row, *target]

    def target(self, target: Any) -> list[float]:
        """The numbers that a row of the program has for a target."""
        if self.classes:
            return [float(target == k) for k in range(self.classes)]
        return target if isinstance(target, list) else [target]

    def _digest(self) -> str:
        leaves = (*self.parameters, *self.inputs)
        numbers = {leaf: number for number, leaf in enumerate(leaves)}
        nodes, *columns = columns_of(self.roots)[:4]
        given = [numbers.get(node, node.data) for node in nodes if not node.op]
        roots = [nodes.index(root) for root in self.roots]
        sizes = len(self.parameters), len(self.moved), len(leaves)
        return sha256(repr([sizes, *columns, given, roots]).encode()).hexdigest()


def _leaves_of(model: Any, optimizer: Any) -> list[Value]:
    """The parameters of the model, and those that only the optimiser knows."""
    return list(dict.fromkeys([*model.parameters(), *getattr(optimizer, "params", ())]))


def numbers(output: Any) -> Any:
    """The data of a Value, or of a list of Values."""
    return output.data if isinstance(output, Value) else [value.data for value in output]


def leaves(output: Any) -> Any:
    """A Value, or a list of Values, of that data."""
    return list(map(Value, output)) if isinstance(output, list) else Value(output)


def items(output: Any) -> Sequence[Any]:
    """An output as a sequence, of one where it is alone."""
    return output if isinstance(output, list | tuple) else [output]
