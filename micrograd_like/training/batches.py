"""The arithmetic of `fit`: Values, batch by batch, or one program for every batch."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, isclose
from typing import Any, NamedTuple, Protocol
from warnings import warn

from micrograd_like._internal.extras import installed, load
from micrograd_like._internal.interrupts import uninterrupted
from micrograd_like.engine import Value
from micrograd_like.graph import nodes_of
from micrograd_like.operation import AnomalyError, anomaly_mode
from micrograd_like.optim import Optimizer
from micrograd_like.training.metrics import Loss
from micrograd_like.training.reading import Examples

Outputs = list[Any]


class Way(Protocol):
    """What runs the model for `fit`. An output is a float, or a list of floats.

    `data` is what `read` made of examples, `batch` the numbers of those that are meant.
    """

    def read(self, examples: Examples) -> Any:
        """The examples in the form that this way works on."""

    def step(self, data: Any, batch: Sequence[int]) -> tuple[float, Outputs]:
        """Do one optimiser step, wholly or not at all; return loss and outputs from before it."""

    def evaluate(self, data: Any, batch: Sequence[int]) -> tuple[float, Outputs]:
        """Return loss and outputs, and change nothing."""

    def sync(self) -> None:
        """Make the model and the optimiser show what has been done so far."""


class OnValues:
    """The way that builds the graph of every batch anew and runs backward through it."""

    def __init__(self, model: Any, loss: Loss, optimizer: Any) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer

    def read(self, examples: Examples) -> Examples:
        """The examples as they are."""
        return examples

    def step(self, data: Examples, batch: Sequence[int]) -> tuple[float, Outputs]:
        """See `Way`."""
        outputs = [self.model(data.rows[i]) for i in batch]
        cost = self.loss(outputs, [data.targets[i] for i in batch])
        self.optimizer.zero_grad()
        cost.backward()
        with uninterrupted():
            self.optimizer.step()
        return cost.data, [numbers(output) for output in outputs]

    def evaluate(self, data: Examples, batch: Sequence[int]) -> tuple[float, Outputs]:
        """See `Way`."""
        # A forward pass builds a graph even when nobody needs it: keep that of one row at a time.
        outputs = [numbers(self.model(data.rows[i])) for i in batch]
        cost = self.loss([_leaves(x) for x in outputs], [data.targets[i] for i in batch])
        return cost.data, outputs

    def sync(self) -> None:
        """Nothing to do: the model is where the work is done."""


class AsProgram:
    """The way that traces one example, and runs that program for every batch.

    A row of the program holds the numbers of an example and of its target; the index of a class
    enters as one probability for each class, 0 or 1. Until `sync` the parameters and the buffers
    of the optimiser are arrays here, and the model shows what they were.
    """

    def __init__(self, model: Any, loss: Loss, optimizer: Any, examples: Examples) -> None:
        self._numpy = load("numpy", "llvm")
        load("llvmlite", "llvm")
        from micrograd_like.programs import make_runner
        from micrograd_like.programs.tape import Tape

        self._optimizer = optimizer
        self._by_rule = isinstance(optimizer, Optimizer)
        row = [Value(x) for x in examples.rows[0]]
        output = model(row)
        self._single = isinstance(output, Value)
        outputs = [output] if self._single else list(output)
        first = examples.targets[0]
        self._classes = len(outputs) if not self._single and isinstance(first, int) else 0
        target = [Value(x) for x in self._target(first)]
        many = self._classes or isinstance(first, list)
        roots = [loss([output], [target if many else target[0]]), *outputs]
        inputs = [*row, *target]
        moved = optimizer.params if self._by_rule else list(model.parameters())
        leaves = dict.fromkeys([*moved, *(node for node in nodes_of(*roots) if not node.op)])
        self._parameters = [leaf for leaf in leaves if leaf not in set(inputs)]
        self._moved = len(moved)
        self._tape = Tape(roots, inputs, self._parameters, differentiate=True)
        self._runner = make_runner(self._tape, "llvm")
        self._state: _State | None = None
        self._check(OnValues(model, loss, optimizer), examples)

    def _target(self, target: Any) -> list[float]:
        if self._classes:
            return [float(target == k) for k in range(self._classes)]
        return target if isinstance(target, list) else [target]

    def _check(self, eager: OnValues, examples: Examples) -> None:
        """Compare with Values on some examples: a Python `if` in model or loss is frozen here."""
        firsts = {str(target): i for i, target in reversed([*enumerate(examples.targets)])}
        data = self.read(examples)
        for i in sorted({*range(min(8, len(examples.rows))), *list(firsts.values())[-16:]}):
            try:
                expected, found = eager.evaluate(examples, [i]), self.evaluate(data, [i])
            except AnomalyError:
                continue  # it comes up again when its turn comes, and says which row it is
            pairs = zip(_flat(expected), _flat(found), strict=True)
            if not all(isclose(a, b, rel_tol=1e-6, abs_tol=1e-9) or a != a != b for a, b in pairs):
                raise ValueError(
                    f"loss and output of example {i} are {expected} with Values and {found} as a "
                    "program, so model or loss decides something in Python: use compile=False"
                )

    def read(self, examples: Examples) -> Any:
        """An array with a row an example."""
        rows = [
            [*row, *self._target(target)]
            for row, target in zip(examples.rows, examples.targets, strict=True)
        ]
        return self._numpy.array(rows, dtype=float).reshape(len(rows), self._tape.inputs)

    def _now(self) -> _State:
        if self._state is None:
            array = self._numpy.array
            buffers = self._optimizer.buffers if self._by_rule else []
            self._state = _State(
                array([parameter.data for parameter in self._parameters]),
                array([parameter.grad for parameter in self._parameters[: self._moved]]),
                [array(buffer) for buffer in buffers],
                self._optimizer.steps if self._by_rule else 0,
            )
        return self._state

    def step(self, data: Any, batch: Sequence[int]) -> tuple[float, Outputs]:
        """See `Way`."""
        now = self._now()
        self._watch(now, data, batch, gradient=True)
        cost, gradient, outputs = self._runner.value_and_grad(now.parameters, data, batch)
        gradient = gradient[: self._moved]
        if self._by_rule:
            rule = self._optimizer.rule(now.steps)
            with self._numpy.errstate(all="ignore"):
                moved, *buffers = rule(now.parameters[: self._moved], gradient, *now.buffers)
            others = now.parameters[self._moved :]
            parameters = self._numpy.concatenate((moved, others)) if len(others) else moved
            self._state = _State(parameters, gradient, buffers, now.steps + 1)
        else:
            with uninterrupted():
                self._state = now._replace(gradient=gradient)
                self.sync()
                self._optimizer.step()
        return cost, (outputs[:, 0] if self._single else outputs).tolist()

    def evaluate(self, data: Any, batch: Sequence[int]) -> tuple[float, Outputs]:
        """See `Way`."""
        now = self._now()
        self._watch(now, data, batch, gradient=False)
        values = self._runner.values(now.parameters, data[list(batch)])
        cost = fsum(row[0] for row in values) / len(values)
        return cost, [row[1] if self._single else row[1:] for row in values]

    def _watch(self, now: _State, data: Any, batch: Sequence[int], *, gradient: bool) -> None:
        if anomaly_mode.on:
            rows = zip(batch, data[list(batch)].tolist(), strict=True)
            self._tape.find_anomaly(now.parameters.tolist(), rows, gradient)

    def sync(self) -> None:
        """Write what the arrays hold into model and optimiser, which may change it from here on."""
        if self._state is None:
            return
        now = self._state
        with uninterrupted():
            for parameter, x in zip(self._parameters, now.parameters.tolist(), strict=True):
                parameter.data = x
            for parameter, x in zip(self._parameters, now.gradient.tolist(), strict=False):
                parameter.grad = x
            if self._by_rule:
                self._optimizer.buffers = [buffer.tolist() for buffer in now.buffers]
                self._optimizer.steps = now.steps
            self._state = None


class _State(NamedTuple):
    """How far a training is: replaced as a whole, so that Ctrl-C finds it before or after a step.

    - `parameters`: those that the optimiser moves, and then all others.
    - `gradient`: of those that it moves.
    - `buffers`, `steps`: the optimiser's.
    """

    parameters: Any
    gradient: Any
    buffers: list[Any]
    steps: int


def choose(compile: bool | str, model: Any, loss: Loss, optimizer: Any, examples: Examples) -> Way:
    """A program if `compile` is True, or "auto" and it is installed and model and loss allow it.

    Where they do not, a RuntimeWarning at whoever called our caller says why.
    """
    if compile not in (True, False, "auto"):
        raise ValueError(f"compile is True, False or 'auto', got {compile!r:.80}")
    on_values = OnValues(model, loss, optimizer)
    if not compile or (compile == "auto" and not installed("numpy", "llvmlite")):
        return on_values
    try:
        return AsProgram(model, loss, optimizer, examples)
    except Exception as error:
        if compile != "auto":
            raise
        why = f'compile="auto" is False here, which is slower: {type(error).__name__}: {error}'
        warn(why, RuntimeWarning, stacklevel=3)
        return on_values  # with Values it works: that has been tried before


def numbers(output: Any) -> Any:
    """The data of a Value, or of a list of Values."""
    return output.data if isinstance(output, Value) else [value.data for value in output]


def _leaves(output: Any) -> Any:
    return list(map(Value, output)) if isinstance(output, list) else Value(output)


def _flat(result: tuple[float, Outputs]) -> list[float]:
    cost, [output] = result
    return [cost, *output] if isinstance(output, list) else [cost, output]
