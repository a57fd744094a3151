"""The arithmetic of `fit`: Values, batch by batch, or one program for every batch."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from math import fsum
from operator import is_
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from micrograd_like._internal.extras import load
from micrograd_like._internal.interrupts import uninterrupted
from micrograd_like.engine import Value
from micrograd_like.graph import nodes_of
from micrograd_like.operation import anomaly_mode
from micrograd_like.optim import Optimizer
from micrograd_like.training.metrics import Loss
from micrograd_like.training.reading import Examples

Outputs = list[Any]


class Way(Protocol):
    """A runner of the model for `fit`. An output is a float, or a list of floats.

    `data` is what `read` made of examples, `batch` the numbers of those that are meant.

    - `parameters`: those that take part.
    - `before`: their numbers before the last step.
    """

    parameters: list[Value]
    before: Sequence[float]

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
        self.parameters = _leaves_of(model, optimizer)
        self.before: Sequence[float] = ()

    def read(self, examples: Examples) -> Examples:
        """The examples as they are."""
        return examples

    def step(self, data: Examples, batch: Sequence[int]) -> tuple[float, Outputs]:
        """See `Way`."""
        self.before = [parameter.data for parameter in self.parameters]
        cost, outputs = self.graph(data, batch)
        self.optimizer.zero_grad()
        cost.backward()
        with uninterrupted():
            self.optimizer.step()
        return cost.data, [numbers(output) for output in outputs]

    def graph(self, data: Examples, batch: Sequence[int]) -> tuple[Value, Outputs]:
        """Loss and outputs of a batch, as Values."""
        outputs = [self.model(data.rows[i]) for i in batch]
        return self.loss(outputs, [data.targets[i] for i in batch]), outputs

    def evaluate(self, data: Examples, batch: Sequence[int]) -> tuple[float, Outputs]:
        """See `Way`."""
        # A forward pass builds a graph even when nobody needs it: keep that of one row at a time.
        outputs = [numbers(self.model(data.rows[i])) for i in batch]
        cost = self.loss([leaves(x) for x in outputs], [data.targets[i] for i in batch])
        return cost.data, outputs

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
        moved = optimizer.params if isinstance(optimizer, Optimizer) else model.parameters()
        self.moved = list(moved)
        found = [node for node in nodes if node in lasting]
        self.parameters = list(dict.fromkeys([*self.moved, *found]))
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
        cost = loss([output], [target if many else target[0]])
        return [cost, *outputs], [*row, *target]

    def target(self, target: Any) -> list[float]:
        """The numbers that a row of the program has for a target."""
        if self.classes:
            return [float(target == k) for k in range(self.classes)]
        return target if isinstance(target, list) else [target]

    def _digest(self) -> str:
        leaves = (*self.parameters, *self.inputs)
        numbers = {leaf: number for number, leaf in enumerate(leaves)}
        lines: list[Any] = [len(self.parameters), len(self.moved), len(leaves)]
        for node in self.nodes:
            if node in numbers:
                continue
            numbers[node] = len(numbers)
            operands = [numbers[x] if isinstance(x, Value) else x for x in node.operands]
            lines.append((node.op, *operands) if node.op else node.data)
        text = repr([*lines, *(numbers[root] for root in self.roots)])
        return sha256(text.encode()).hexdigest()


class AsProgram:
    """The way that compiles the graph of one example, and runs that program for every batch.

    A row of the program holds the numbers of an example and of its target. Until `sync` the
    parameters and the buffers of the optimiser are arrays here, and the model shows what they were.
    """

    def __init__(self, model: Any, trace: Trace, optimizer: Any) -> None:
        with uninterrupted():  # half an import stays half
            self._numpy = load("numpy", "llvm")
            load("llvmlite", "llvm")
        self._optimizer = optimizer
        self._by_rule = isinstance(optimizer, Optimizer)
        self._single, self._target = trace.single, trace.target
        self.digest, self._moved = trace.digest, trace.moved
        self.parameters: list[Value] = trace.parameters
        self.before: Sequence[float] = ()
        self._tape, self._runner = _program(model, trace)
        self._state: _State | None = None

    def read(self, examples: Examples) -> Any:
        """An array with a row an example."""
        rows = [
            [*row, *self._target(target)]
            for row, target in zip(examples.rows, examples.targets, strict=True)
        ]
        return self._numpy.array(rows, dtype=float).reshape(len(rows), self._tape.inputs)

    def is_of(self, trace: Trace) -> bool:
        """True if this is the program of that graph, with the same Values as its parameters."""
        pairs = zip(self.parameters, trace.parameters, strict=False)
        return self.digest == trace.digest and all(a is b for a, b in pairs)

    def follows(self, optimizer: Any) -> bool:
        """True if the optimiser still moves what it moved when this was compiled."""
        moved = getattr(optimizer, "params", self._moved) if self._by_rule else self._moved
        return len(moved) == len(self._moved) and all(map(is_, moved, self._moved))

    def _now(self) -> _State:
        if self._state is None:
            array = self._numpy.array
            if self._by_rule:
                self._optimizer.take_in_new()
            buffers = self._optimizer.buffers if self._by_rule else []
            self._state = _State(
                array([parameter.data for parameter in self.parameters]),
                array([parameter.grad for parameter in self._moved]),
                [array(buffer) for buffer in buffers],
                self._optimizer.steps if self._by_rule else 0,
            )
        return self._state

    def step(self, data: Any, batch: Sequence[int]) -> tuple[float, Outputs]:
        """See `Way`."""
        now = self._now()
        self.before = now.parameters
        self._watch(now, data, batch, gradient=True)
        cost, gradient, outputs = self._runner.value_and_grad(now.parameters, data, batch)
        count = len(self._moved)
        gradient = gradient[:count]
        if self._by_rule:
            rule = self._optimizer.rule(now.steps)
            with self._numpy.errstate(all="ignore"):
                moved, *buffers = rule(now.parameters[:count], gradient, *now.buffers)
            others = now.parameters[count:]
            parameters = self._numpy.concatenate((moved, others)) if len(others) else moved
            self._state = _State(parameters, gradient, buffers, now.steps + 1)
        else:
            with uninterrupted():
                self._state = now._replace(gradient=gradient)
                self.sync()
                self._optimizer.step()
        return cost, (outputs[:, 1] if self._single else outputs[:, 1:]).tolist()

    def evaluate(self, data: Any, batch: Sequence[int]) -> tuple[float, Outputs]:
        """See `Way`."""
        now = self._now()
        self._watch(now, data, batch, gradient=False)
        values = self._runner.values(now.parameters, data[list(batch)])
        cost = fsum(row[0] for row in values) / len(values)
        return cost, [row[2] if self._single else row[2:] for row in values]

    def each(self, data: Any, batch: Sequence[int] | None = None) -> tuple[list[float], Outputs]:
        """The loss and the output of every example of `data`, or of those that are meant."""
        outputs = self._runner.value_and_grad(self._now().parameters, data, batch)[2]
        return outputs[:, 0].tolist(), (outputs[:, 1] if self._single else outputs[:, 1:]).tolist()

    def forget(self) -> None:
        """Read parameters and optimiser anew, whatever has been done; nothing is written."""
        self._state = None

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
            for parameter, x in zip(self.parameters, now.parameters.tolist(), strict=True):
                parameter.data = x
            for parameter, x in zip(self._moved, now.gradient.tolist(), strict=True):
                parameter.grad = x
            if self._by_rule:
                self._optimizer.buffers = [buffer.tolist() for buffer in now.buffers]
                self._optimizer.steps = now.steps
            self._state = None


class _State(NamedTuple):
    """The state of a training: replaced as a whole, so that Ctrl-C finds it before or after a step.

    - `parameters`: those that the optimiser moves, and then all others.
    - `gradient`: of those that it moves.
    - `buffers`, `steps`: the optimiser's.
    """

    parameters: Any
    gradient: Any
    buffers: list[Any]
    steps: int


# The last programs of each model, by the digests of their graphs: the next `fit` finds them here.
_kept: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()
_MOST_KEPT = 4


def _programs_of(model: Any) -> dict[str, Any]:
    try:
        return _kept.setdefault(model, {})
    except TypeError:  # a model that can't be a key
        return {}


def is_kept(model: Any, trace: Trace) -> bool:
    """True if there is a program of this graph already."""
    return trace.digest in _programs_of(model)


def _program(model: Any, trace: Trace) -> tuple[Any, Any]:
    """The tape of a graph, and what runs it: those that were kept, or new ones."""
    from micrograd_like.programs import make_runner
    from micrograd_like.programs.tape import Tape

    programs = _programs_of(model)
    made = programs.pop(trace.digest, None)
    if made is None:
        # The loss twice: with its mean comes the gradient, and as an output it is each example's.
        roots = [trace.roots[0], *trace.roots]
        tape = Tape(roots, trace.inputs, trace.parameters, differentiate=True)
        made = tape, make_runner(tape, "llvm")
    programs[trace.digest] = made
    while len(programs) > _MOST_KEPT:
        del programs[next(iter(programs))]
    return made  # type: ignore[no-any-return]


def _leaves_of(model: Any, optimizer: Any) -> list[Value]:
    """The parameters of the model, and those that only the optimiser knows."""
    return list(dict.fromkeys([*model.parameters(), *getattr(optimizer, "params", ())]))


def numbers(output: Any) -> Any:
    """The data of a Value, or of a list of Values."""
    return output.data if isinstance(output, Value) else [value.data for value in output]


def leaves(output: Any) -> Any:
    """A Value, or a list of Values, of that data."""
    return list(map(Value, output)) if isinstance(output, list) else Value(output)
