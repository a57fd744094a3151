"""`fit`: mini-batch training, the same whether Values or a compiled program do the arithmetic."""

from __future__ import annotations

import random
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from math import inf
from time import perf_counter
from types import SimpleNamespace
from typing import Any

from micrograd_like._internal.arguments import generator, switch, whole
from micrograd_like._internal.cuts import cut
from micrograd_like._internal.extras import load
from micrograd_like._internal.interrupts import Interrupts, not_by_a_handler, uninterrupted
from micrograd_like.engine import Value
from micrograd_like.operation import NUMBER
from micrograd_like.training.alone import alone
from micrograd_like.training.as_program import AsProgram
from micrograd_like.training.choice import (
    choose,
    epochs_between_checks,
    require_same_here,
    same_for_a_few,
)
from micrograd_like.training.history import Best, History, Row
from micrograd_like.training.metrics import Loss, Metric, Share, read_metrics
from micrograd_like.training.model_only import ModelAsProgram
from micrograd_like.training.progress import reporter
from micrograd_like.training.reading import read_data, without_brackets
from micrograd_like.training.trouble import (
    REMEDY,
    first_not_finite,
    names_of_parameters,
    require_paths,
    warn_caller,
)
from micrograd_like.training.ways import OnValues, Outputs, Way, Work, cost_of, items, numbers

Callback = Callable[[Any, Row], object]


def fit(
    model: Any,
    X: Any,
    y: Any,
    *,
    loss: Loss,
    optimizer: Any,
    epochs: int,
    batch_size: int | None = None,
    shuffle: bool = True,
    validation: tuple[Any, Any] | None = None,
    validation_split: float | None = None,
    metrics: Sequence[str | Metric] = ("accuracy",),
    compile: bool | str = "auto",
    progress: bool | None = None,
    rng: random.Random | None = None,
    patience: int | None = None,
    callbacks: Iterable[Callback] = (),
    history: History | None = None,
    allow_unused: bool = False,
) -> History:
    """Train `model` on batches for `epochs` passes over X, y; the history.

    - `model`: a Module; or another callable with parameters(), from a row
      to a Value or a list. `X`: its rows; `y`: for each a number, or a list.
    - `loss`: of a list of outputs and one of targets, a Value to minimise.
    - `batch_size`: examples a step, None for all; `shuffle`: by `rng`.
    - `validation`: (X, y) to measure alone; or `validation_split`, a share:
      the last fifth of the rows for 0.2, held out before any shuffling.
    - `metrics`: "accuracy", and functions of outputs and targets.
    - `compile`: True, a program; False, Values; "auto", what is faster.
    - `progress`: False, silence; True, a bar; None, a bar on a terminal.
    - `patience`: epochs to wait for a better validation loss; the best wins.
    - `callbacks`: called with model and row; "stop" ends it. `history`: one
      to go on with. `allow_unused`: take parameters no path leads to.

    Ctrl-C ends it after the step. Bad arguments raise TypeError or ValueError
    before anything changes. More in docs/training.md and docs/resuming.md.
    """
    training = Training(SimpleNamespace(**locals()))
    with alone(training.parameters), training.interrupts:
        training.try_out()
        with training:
            while training.goes_on():
                training.epochs_nobody_sees()
                row = training.epoch()
                training.keep_best(row)
                training.tell(row)
    return training.history


class Training:
    """A call of `fit`: what it was given, read and checked, and how far it is.

    As a context manager it is responsible for what it leaves: the best parameters, why it stopped.
    """

    def __init__(self, given: SimpleNamespace) -> None:
        self._clock = perf_counter()
        self.interrupts = Interrupts()
        self._examples, self._held_out = read_data(
            given.X, given.y, given.validation, given.validation_split
        )
        count = len(self._examples.rows)
        size, patience = given.batch_size, given.patience
        self._size = whole("batch_size", count if size is None else size, 1)
        self._epochs = whole("epochs", given.epochs, 0)
        self._patience = inf if patience is None else whole("patience", patience, 1)
        self._shuffle = switch("shuffle", given.shuffle)
        self._allow_unused = switch("allow_unused", given.allow_unused)
        self._rng = generator(given.rng)
        self._callbacks = _read_callbacks(given.callbacks)
        self._compile, self._loss = given.compile, given.loss
        if self._compile is not True and self._compile is not False and self._compile != "auto":
            raise ValueError(f"compile is True, False or 'auto', got {self._compile!r:.80}")
        if isinstance(self._loss, str) or not callable(self._loss):
            raise TypeError(f"loss is a function such as mse_loss, got {self._loss!r:.80}")
        self.model, self._optimizer = given.model, given.optimizer
        self.parameters = _read_parameters(self.model, self._optimizer)
        self.history = _read_history(given.history, self.parameters)
        self._metrics, self._progress = given.metrics, given.progress
        # The first batch of each of the last two steps, and the parameters before it; and those
        # of the steps in which the loss became nan.
        self._steps: deque[tuple[Sequence[int], Sequence[float]]] = deque(maxlen=2)
        self._nan: list[tuple[Sequence[int], Sequence[float]]] = []
        self._over = ""

    def try_out(self) -> None:
        """Run the model on one example, and try the loss on every target; nothing changes."""
        output = self.model(self._examples.rows[0])
        _require_values(self.model, output)
        if isinstance(output, Value):
            self._examples = without_brackets(self._examples)
            self._held_out = without_brackets(self._held_out)
        costs = []
        for examples in (self._examples, self._held_out):
            for i in range(0, len(examples.targets), self._size):
                targets = examples.targets[i : i + self._size]
                costs.append(cost_of(self._loss, [output] * len(targets), targets))
        if not self._allow_unused:
            moved = getattr(self._optimizer, "params", self.parameters)
            more = (items(self.model(row)) for row in self._examples.rows[1:])
            require_paths(chain([costs[:1]], more), moved, self.model, self._optimizer)
        targets = self._examples.targets + self._held_out.targets
        self._measures = read_metrics(self._metrics, self._loss, numbers(output), targets)
        steps = self._epochs * -(-len(self._examples.rows) // self._size)
        self._report = reporter(self._progress, steps)

    def __enter__(self) -> None:
        history = self.history
        self._epoch = history.rows[-1]["epoch"] if history.rows else 0
        self._last = self._epoch + self._epochs
        if history.stopped in ("epochs", "patience"):
            history.since = self._epoch  # else the run goes on where it was cut short
        self._run: Way = self._on_values()
        self._data: Any = None
        history.stopped = ""

    def goes_on(self) -> bool:
        """True if there is another epoch to come."""
        waited = self._epoch - self.history.since
        return self._epoch < self._last and waited < self._patience and not self._over

    def _choose(self, epochs: int) -> None:
        self._work = work = Work(self._examples, self._held_out, self._size, epochs)
        self._run = choose(
            self._compile, self.model, self._loss, self._optimizer, work, self._report.compiling
        )
        self._chosen = self._epoch
        if isinstance(self._run, AsProgram | ModelAsProgram):
            self._between_checks = epochs_between_checks(self._run, work)
        self._data = self._run.read(self._examples)
        self._held_out_data = self._run.read(self._held_out)

    def epoch(self) -> Row:
        """Take a step on every batch; what was measured on the way, as a row of the history."""
        if self._data is None:
            self._choose(self._epochs)
        self.interrupts.look()
        order = list(range(len(self._examples.rows)))
        if self._shuffle:
            self._rng.shuffle(order)
            _require_permutation(order, len(self._examples.rows), self._rng)
        self._epoch += 1
        self._order = order
        row: Row = {"epoch": self._epoch}
        row |= self._measure(self._step, self._data, order, self._measures)
        data, every = self._held_out_data, range(len(self._held_out.rows))
        row |= _of_validation(self._measure(self._evaluate, data, every, self._measures))
        if row["loss"] != row["loss"]:
            self._over = "nan"
        return row

    def epochs_nobody_sees(self) -> None:
        """Do epochs in a few calls of the program, where nobody looks at what is between them.

        The next one after which the program is compared with Values is left to `epoch`.
        """
        seen = self._callbacks or self._shuffle or self._held_out.rows or self._patience < inf
        measures, targets = self._measures, self._examples.targets
        if seen or not all(isinstance(metric, Share) for metric in measures.values()):
            return
        order, size = range(len(targets)), self._size
        shares = _shares(len(order), size)
        unseen = _of_validation(dict.fromkeys(["loss", *measures]))
        while isinstance(self._run, AsProgram):
            to_check = self._between_checks - (self._epoch - self._chosen) % self._between_checks
            most = min(to_check, self._last - self._epoch) - 1
            with uninterrupted():  # the model must not be ahead of the history
                found = self._run.epochs(self._data, order, size, most)
                if found is None:
                    return
                losses, outputs = found
                scores = [metric.each(outputs, targets) for metric in measures.values()]  # type: ignore[attr-defined]
                seconds = self._lap() / len(outputs)
                costs = losses
                if len(shares) > 1:
                    starts = range(0, len(losses), len(shares))
                    costs = [_total(losses[i : i + len(shares)], shares) for i in starts]
                rows: list[Row] = [
                    {
                        "epoch": epoch,
                        "loss": cost,
                        **dict(zip(measures, found, strict=True)),
                        **unseen,
                        "seconds": seconds,
                    }
                    for epoch, (cost, *found) in enumerate(
                        zip(costs, *scores, strict=True), self._epoch + 1
                    )
                ]
                self.history.rows += rows
                self._epoch += len(rows)
                self.history.since = self._epoch
            self._steps.clear()
            self._report.steps(len(losses))
            for row in rows:
                self._report.epoch(row)
            self.interrupts.look()

    def _step(self, data: Any, order: Sequence[int]) -> tuple[list[float], Outputs]:
        costs, outputs = self._run.steps(data, order, self._size)
        self._report.steps(len(costs))
        self._steps.append((order[: self._size], self._run.before))
        if costs[-1] != costs[-1] and not self._nan:
            self._nan = list(self._steps)
        return costs, outputs

    def _evaluate(self, data: Any, order: Sequence[int]) -> tuple[list[float], Outputs]:
        cost, outputs = self._run.evaluate(data, order[: self._size])
        return [cost], outputs

    def _measure(
        self,
        run: Callable[[Any, Sequence[int]], tuple[list[float], Outputs]],
        data: Any,
        order: Sequence[int],
        metrics: dict[str, Metric],
    ) -> dict[str, float | None]:
        """Loss and metrics over the examples `order`, batch by batch; None of no example.

        `run` does the first batch of those that are left, or several.
        """
        if not order:
            return dict.fromkeys(["loss", *metrics])
        losses: list[float] = []
        outputs: list[Outputs] = []
        rest = memoryview(array("q", order))  # of which the end is no copy
        while len(losses) * self._size < len(order):
            costs, found = run(data, rest[len(losses) * self._size :])
            losses += costs
            outputs.append(found)
            self.interrupts.look()
        shown = [data.targets[i] for i in order] if metrics else []
        found = _joined(outputs)
        if not all(isinstance(metric, Share) for metric in metrics.values()):
            self._run.sync()  # a metric of the user's own may look at the model
        loss = _total(losses, _shares(len(order), self._size))
        return {"loss": loss} | {name: metric(found, shown) for name, metric in metrics.items()}

    def keep_best(self, row: Row) -> None:
        """Add the epoch to the history, and with patience keep its parameters if it is the best."""
        history = self.history
        watched = row["val_loss"]
        if self._patience < inf and not self._held_out.rows:
            watched = self._measure(self._evaluate, self._data, self._order, {})["loss"]
        if self._callbacks or self._patience < inf:
            self._run.sync()  # from here on others look at the model, and may change it
        row["seconds"] = self._lap()
        if self._patience == inf:
            history.since = self._epoch
            history.rows.append(row)
            return
        with uninterrupted():  # which takes longer than a small epoch
            if watched < (history.best.loss if history.best else inf):
                history.best = Best(self._epoch, watched, [p.data for p in self.parameters])
                history.since = self._epoch
            history.rows.append(row)

    def _lap(self) -> float:
        """Seconds since it was asked last, or since `fit` was called."""
        now = perf_counter()
        seconds, self._clock = now - self._clock, now
        return seconds

    def tell(self, row: Row) -> None:
        """Show the epoch, call the callbacks, and see whether they changed what is computed."""
        self._report.epoch(row)
        for callback in self._callbacks:
            if callback(self.model, row) == "stop":
                self._over = self._over or "callback"
            self.interrupts.look()
        if isinstance(self._run, AsProgram | ModelAsProgram):
            self._follow(self._run)
        if self._callbacks:
            row["seconds"] += self._lap()

    def _follow(self, run: AsProgram | ModelAsProgram) -> None:
        """Compile anew where a callback changed model, loss or optimiser.

        One example is computed in both ways, another one each time, and the loss of a few. Without
        callbacks only a branch on a parameter can change anything that was not seen before: then as
        often as costs little. With callbacks all is compared once more at the end.
        """
        done, last = self._epoch - self._chosen, not self.goes_on()
        if not self._callbacks and done % self._between_checks and not last:
            return
        on_values, work, count = self._on_values(), self._work, len(self._examples.rows)
        i, before = [k * 7919 % count for k in (self._epoch, self._epoch - 1)]
        follows = run.follows(self._optimizer)
        if follows and same_for_a_few(run, on_values, work, i):
            if last and self._callbacks:
                try:
                    require_same_here(*run.compared(on_values, work))
                except not_by_a_handler(ValueError) as error:
                    warn_caller(f"{self._maybe_other('a callback changed that')}: {error}")
            return
        if not self._callbacks:
            by = f"model or loss decides something for example {i} by the numbers of parameters"
            warn_caller(f"{self._maybe_other(by)}; they do the rest: use compile=False")
            self._compile = False
        elif follows and done > 1 and same_for_a_few(run, on_values, work, before):
            by = f"a callback changed something for example {i} and few others"
            warn_caller(f"{self._maybe_other(by)}: use compile=False")
        if not last:
            # A callback that changed something may well do it again after as many epochs.
            self._choose(min(done, self._last - self._epoch))

    def _maybe_other(self, by: str) -> str:
        return f"the epochs since epoch {self._chosen} may be other than with Values, for {by}"

    def _on_values(self) -> OnValues:
        return OnValues(self.model, self._loss, self._optimizer)

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> bool:
        history = self.history
        try:
            if error is None:
                self._finish()
        except KeyboardInterrupt as late:
            error = late
        finally:
            self._run.sync()  # here too, for a second Ctrl-C may come before the one below
        try:
            if isinstance(error, KeyboardInterrupt):
                history.stopped = "interrupt"
                return True
            if error is not None:
                history.stopped = "error"
                with suppress(AttributeError):  # some exceptions take no attributes
                    error.history = history  # type: ignore[attr-defined]
                    error.add_note(
                        "fit: the model has done whole steps only; .history has the "
                        f"{len(history.rows)} epoch(s) that were finished"
                    )
        finally:
            self._run.sync()
            self._report.close()
        return False

    def _finish(self) -> None:
        history = self.history
        with uninterrupted():
            self._run.sync()
            if self._patience < inf and history.best:
                for parameter, best in zip(self.parameters, history.best.parameters, strict=True):
                    parameter.data = best
            waited = self._epoch - history.since
            history.stopped = self._over or ("epochs" if waited < self._patience else "patience")
        if self._over == "nan":
            warn_caller(self._origin_of_nan())
        self.interrupts.look()

    def _origin_of_nan(self) -> str:
        """The place where the loss became nan, found by running two batches again, and a hint."""
        names = names_of_parameters(self.model, self._optimizer)
        run, parameters = self._on_values(), self._run.parameters
        kept = [(parameter, parameter.data, parameter.grad) for parameter in parameters]
        found = ""
        try:
            for batch, before in self._nan:
                if len(before) and not found:  # else its numbers were finite
                    for parameter, x in zip(parameters, before, strict=True):
                        parameter.data, parameter.grad = float(x), 0.0
                    cost, _ = run.graph(self._examples, batch)
                    cost.backward()
                    found = first_not_finite(cost, names)
                    if found:
                        found = f": in a batch with example {batch[0]}, {found}"
        except not_by_a_handler(ArithmeticError, ValueError) as error:  # what Values refuse
            found = f": {error}"
        finally:
            for parameter, x, grad in kept:
                parameter.data, parameter.grad = x, grad
        return f"the loss became nan in epoch {self._epoch}{found}; {REMEDY}"


def _require_values(model: Any, output: Any) -> None:
    """Raise TypeError unless the model's output is a Value, or a list of them."""
    values = items(output)
    for place, value in enumerate(values):
        if isinstance(value, NUMBER):
            what = "the model" if value is output else f"the model's output {place}"
            raise cut(what, model, value, "its parameters are Values")
    if not values or not all(isinstance(value, Value) for value in values):
        raise TypeError(f"model returns a Value or a list of them, got {output!r:.80}")


def _shares(count: int, size: int) -> list[float]:
    """The share of each batch in so many examples."""
    return [min(size, count - i) / count for i in range(0, count, size)]


def _total(losses: Sequence[float], shares: Sequence[float]) -> float:
    """The loss over all batches; of a single batch, its loss to the bit."""
    total = 0.0
    for loss, share in zip(losses, shares, strict=True):
        total += loss * share
    return total


def _joined(outputs: list[Outputs]) -> Outputs:
    if isinstance(outputs[0], list):
        return list(chain.from_iterable(outputs))
    return outputs[0] if len(outputs) == 1 else load("numpy", "llvm").concatenate(outputs)


def _of_validation(scores: dict[str, float | None]) -> Row:
    return {f"val_{name}": score for name, score in scores.items()}


def _require_permutation(order: list[int], count: int, rng: Any) -> None:
    """Raise ValueError where a shuffle of the user's own made other numbers than it was given."""
    if getattr(rng.shuffle, "__func__", None) is random.Random.shuffle:
        return
    if sorted(order) != list(range(count)):
        raise ValueError(
            f"rng.shuffle made {order!r:.80} of the numbers of {count} examples: a shuffle "
            "keeps each of them once"
        )


def _read_history(history: Any, parameters: list[Value]) -> History:
    if history is None:
        return History()
    if not isinstance(history, History):
        raise TypeError(f"history is one that fit returned, got {history!r:.80}")
    if history.best and len(history.best.parameters) != len(parameters):
        raise ValueError(
            f"history is of a model with {len(history.best.parameters)} parameter(s), this one has "
            f"{len(parameters)}: give the history of this model, or none"
        )
    return history


def _read_callbacks(callbacks: Any) -> list[Callback]:
    listed = list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    for callback in listed:
        if not callable(callback) or not isinstance(callbacks, Iterable):
            raise TypeError(f"callbacks is a list of functions, got {callbacks!r:.80}")
    return listed


def _read_parameters(model: Any, optimizer: Any) -> list[Value]:
    if isinstance(model, type) or not callable(model) or not hasattr(model, "parameters"):
        raise TypeError(f"model is a Module such as MLP(2, [16, 1]), got {model!r:.80}")
    if isinstance(optimizer, type) or not all(hasattr(optimizer, m) for m in ("step", "zero_grad")):
        raise TypeError(
            f"optimizer is one such as SGD(model.parameters(), lr=0.1), got {optimizer!r:.80}"
        )
    parameters = list(model.parameters())
    moved = getattr(optimizer, "params", parameters)
    if not any(parameter in moved for parameter in parameters):
        raise ValueError("optimizer has none of the model's parameters: give it this model's")
    return parameters
