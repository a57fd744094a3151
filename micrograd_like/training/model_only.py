"""A program of the model alone, for a loss that is computed on Values: a spread, a ranking.

A program is the graph of one example. If the loss of a batch is no mean over its examples, or
decides something by their targets, it is left to Values: they are given the outputs that the
program computed, and the derivatives by these go into the program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from micrograd_like.engine import Value
from micrograd_like.operation import anomaly_mode
from micrograd_like.training.as_program import AsProgram, Table
from micrograd_like.training.reading import Examples
from micrograd_like.training.ways import OnValues, Outputs, Work, cost_of, items


class Weighted(OnValues):
    """The way of Values whose loss is the mean of a row's outputs, each times its target."""

    def __init__(self, on_values: OnValues) -> None:
        super().__init__(on_values.model, _weighted, on_values.optimizer)

    def examples(self, examples: Examples) -> Examples:
        """The same rows with weights for targets, another one for each output."""
        if not examples.rows:
            return examples
        output = self.model(examples.rows[0])
        weights = 1.0 if isinstance(output, Value) else [1.0 / (k + 1) for k in range(len(output))]
        return Examples(examples.rows, [weights] * len(examples.rows))

    def work(self, work: Work) -> Work:
        """The same work on such examples."""
        data = [self.examples(examples) for examples in (work.examples, work.held_out)]
        return work._replace(examples=data[0], held_out=data[1])


def _weighted(outputs: list[Any], targets: list[Any]) -> Any:
    products = [
        output * weight
        for row, weights in zip(outputs, targets, strict=True)
        for output, weight in zip(items(row), items(weights), strict=True)
    ]
    return sum(products[1:], products[0]) / len(outputs)


class ModelAsProgram:
    """The way that runs the model as a program, which is of the loss `Weighted`, and the loss not.

    The loss may look at anything, such as parameters, for a penalty, or the optimiser's steps. So
    in every step they show what has been done before it.
    """

    def __init__(self, program: AsProgram, on_values: OnValues) -> None:
        self._program, self._on_values = program, on_values
        self.nodes, self.moved = program.nodes, program.moved
        self.before: Sequence[float] = ()
        self._nan = False

    @property
    def parameters(self) -> list[Value]:
        """See `Way`."""
        return self._program.parameters

    def compared(self, on_values: OnValues, work: Work) -> tuple[AsProgram, OnValues, Work]:
        """See `AsProgram`."""
        weighted = Weighted(on_values)
        return self._program, weighted, weighted.work(work)

    def follows(self, optimizer: Any) -> bool:
        """See `AsProgram`."""
        return self._program.follows(optimizer)

    def read(self, examples: Examples) -> Table:
        """The examples, and an array with a row for each, and its weights."""
        return Table(
            examples, self._program.read(Weighted(self._on_values).examples(examples)).array
        )

    def steps(self, data: Table, order: Sequence[int], size: int) -> tuple[list[float], Outputs]:
        """See `Way`; one step at a time."""
        if anomaly_mode.on:
            self.sync()
            found = self._on_values.steps(data.examples, order, size)
            self.before = self._on_values.before
            return found
        zero_grad = self._on_values.optimizer.zero_grad
        cost, outputs, gradient = self.differentiated(data, order[:size], zero_grad)
        if self._program.by_rule:
            gradient += [parameter.grad for parameter in self.moved]
        self._program.update(gradient)
        return [cost], outputs

    def differentiated(
        self, data: Table, batch: Sequence[int], zero_grad: Callable[[], object]
    ) -> tuple[float, Outputs, Any]:
        """Loss and outputs of a batch, and the gradient that comes by way of the outputs.

        The rest of it, by ways that the loss has of its own, is in `grad` afterwards. The loss may
        look at the gradient before, and so `zero_grad` is called after it.
        """
        rows = data.array[list(batch)]
        self.before, cost, outputs, listed = self._forward(data, batch, rows)
        zero_grad()
        found = cost.data
        cost.backward()
        weights = rows[:, rows.shape[1] - len(listed) // len(batch) :]
        weights.flat = [value.grad for value in listed]
        return found, outputs, self._program.sum_of_gradients(self.before, rows)

    def evaluate(self, data: Table, batch: Sequence[int]) -> tuple[float, Outputs]:
        """See `Way`."""
        if anomaly_mode.on:
            self.sync()
            return self._on_values.evaluate(data.examples, batch)
        _, cost, outputs, _ = self._forward(data, batch, data.array[list(batch)])
        return cost.data, outputs

    def _forward(
        self, data: Table, batch: Sequence[int], rows: Any
    ) -> tuple[Any, Value, Outputs, list[Value]]:
        """The parameters, the loss, and its outputs as numbers and as the leaves that it has.

        `rows` are those of the batch.
        """
        parameters, outputs = self._program.outputs(rows)
        self.sync()
        listed = outputs.tolist()
        nan = any(x != x for output in listed for x in items(output))
        if nan and not self._nan:  # which may be what Values refuse
            self._on_values.evaluate(data.examples, batch)
        self._nan = nan
        found = list(map(self._on_values.leaves, listed))
        leaves = [value for output in found for value in items(output)]
        cost = cost_of(self._on_values.loss, found, [data.examples.targets[i] for i in batch])
        return parameters, cost, outputs, leaves

    def sync(self) -> None:
        """See `Way`."""
        self._program.sync()
