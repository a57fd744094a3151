"""`fit`: mini-batch training, the same whether Values or a compiled program do the arithmetic."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from math import inf
from threading import RLock, get_ident
from time import perf_counter
from typing import Any
from weakref import WeakValueDictionary

from micrograd_like._internal.arguments import generator, switch, whole
from micrograd_like._internal.interrupts import uninterrupted
from micrograd_like.engine import Value
from micrograd_like.training.batches import Outputs, choose, numbers
from micrograd_like.training.history import Best, History, Row
from micrograd_like.training.metrics import Loss, Metric, read_metrics
from micrograd_like.training.progress import reporter
from micrograd_like.training.reading import Examples, Targets, read_examples

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
    metrics: Sequence[str | Metric] = ("accuracy",),
    compile: bool | str = "auto",
    progress: bool | None = None,
    rng: random.Random | None = None,
    patience: int | None = None,
    callbacks: Iterable[Callback] = (),
    history: History | None = None,
) -> History:
    """Train `model` by mini-batch descent for `epochs` passes over the data; return the history.

    An epoch shuffles the examples and cuts them into batches of `batch_size`, the last one shorter
    where that does not divide; None is one batch of all. A batch is one optimiser step on
    `loss(outputs, targets)`. Loss and metrics of an epoch are measured on each batch just before
    its step and averaged over the examples; those of `validation` at the end of the epoch.

    - `model`: a callable with `parameters()`, from a row to a Value or to a list of them.
    - `X`, `y`: rows of numbers of one length, and a target for each: a number or a sequence.
    - `loss`: a function of a list of outputs and a list of targets; a Value, the mean over them.
    - `validation`: a pair (X, y) to measure on; nothing is learned from it.
    - `metrics`: "accuracy", and functions of a list of outputs, as numbers, and a list of targets.
    - `compile`: True runs a compiled program, False Values, batch by batch; "auto" is True where
      the extra is installed, and where model or loss can't be compiled, a RuntimeWarning says why.
    - `progress`: None shows a bar on a terminal, with tqdm, and one row an epoch elsewhere; True
      shows the bar anywhere, False nothing.
    - `rng`: who shuffles; None is the module `random`. The same seed gives the same history.
    - `patience`: stop after so many epochs without a new lowest validation loss, and at the end
      restore the parameters of the epoch that had it. Without `validation`, the loss on the
      training data is measured for this at the end of every epoch.
    - `callbacks`: functions of the model and the new row, called after every epoch; one that saves
      a checkpoint lets the training survive a kill, see below.
    - `history`: the one to continue, which callbacks can read meanwhile: new rows are added to it,
      and epochs count on. `epochs` is how many are still to come.

    Accuracy is the share of right answers. Several outputs answer with the index of the greatest;
    the target is that index, or a list of probabilities. One output answers with one of two
    classes, 0 and 1 or −1 and +1, by a threshold of 0 or ½: the one at which the loss costs the
    same for both classes. So it is 0 for logits and margins and ½ for probabilities, and for
    mse_loss halfway between the classes. For other targets and losses accuracy is None.

    Ctrl-C ends the training and returns the history so far. Whatever else is raised, in a callback
    say, passes through, with the history as its attribute `history`. Either way model and optimiser
    have done whole steps only. Bad arguments raise TypeError or ValueError before anything changes,
    bad targets too: the loss is tried on every target first. A model that another thread is
    training raises RuntimeError.

    >>> from micrograd_like import MLP, SGD, binary_cross_entropy_with_logits, xor
    >>> rng = random.Random(1)
    >>> model = MLP(2, [8, 1], activation="tanh", init="glorot", rng=rng)
    >>> history = fit(model, *xor(), loss=binary_cross_entropy_with_logits, epochs=60,
    ...               optimizer=SGD(model.parameters(), lr=1.0), rng=rng, progress=False)
    >>> history.rows[-1]["accuracy"], history.stopped
    (1.0, 'epochs')

    This training can be killed at any moment and called again, and comes to the bits of one that
    ran through, in everything but the seconds:

    >>> import os, tempfile
    >>> from micrograd_like import load_checkpoint, mse_loss, save
    >>> path = os.path.join(tempfile.mkdtemp(), "checkpoint.json")
    >>> def train(epochs):
    ...     if os.path.exists(path):
    ...         model, state, history, rng = load_checkpoint(path)
    ...     else:
    ...         rng = random.Random(1)
    ...         model, state, history = MLP(1, [3, 1], rng=rng), None, History()
    ...     optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    ...     if state:
    ...         optimizer.load_state_dict(state)
    ...     def keep(model, row):
    ...         save(model, path, optimizer=optimizer, history=history, rng=rng)
    ...     return fit(model, [[0], [1], [2]], [1, 3, 5], loss=mse_loss, optimizer=optimizer,
    ...                epochs=epochs - len(history.rows), batch_size=2, rng=rng,
    ...                callbacks=[keep], history=history, progress=False)
    >>> train(2).rows[-1]["epoch"], train(5).rows[-1]["epoch"]
    (2, 5)
    """
    examples = read_examples(X, y)
    held_out = _read_validation(validation, examples)
    size = whole("batch_size", len(examples.rows) if batch_size is None else batch_size, 1)
    epochs = whole("epochs", epochs, 0)
    wait = inf if patience is None else whole("patience", patience, 1)
    shuffle = switch("shuffle", shuffle)
    shuffler = generator(rng)
    callbacks = _read_callbacks(callbacks)
    parameters = _read_parameters(model, optimizer)
    history = _read_history(history, parameters)
    with _Alone(parameters):
        output = _try(model, loss, (examples, held_out), size)
        measures = read_metrics(metrics, loss, output, examples.targets + held_out.targets)
        run = choose(compile, model, loss, optimizer, examples)
        data, held_out_data, targets = run.read(examples), run.read(held_out), examples.targets
        report = reporter(progress, epochs * -(-len(examples.rows) // size))

        epoch = history.rows[-1]["epoch"] if history.rows else 0
        last = epoch + epochs
        if history.stopped in ("epochs", "patience"):
            history.since = epoch  # else the run goes on where it was cut short
        try:
            history.stopped = ""
            while epoch < last and epoch - history.since < wait:
                epoch += 1
                begin = perf_counter()
                order = list(range(len(examples.rows)))
                if shuffle:
                    shuffler.shuffle(order)
                row: Row = {"epoch": epoch}
                row |= _measure(run.step, data, targets, order, size, measures, report.step)
                every = range(len(held_out.rows))
                scores = _measure(
                    run.evaluate, held_out_data, held_out.targets, every, size, measures
                )
                row |= {f"val_{name}": score for name, score in scores.items()}
                watched = row["val_loss"]
                if patience is not None and validation is None:
                    watched = _measure(run.evaluate, data, targets, order, size, {})["loss"]
                if callbacks or patience is not None:
                    run.sync()  # from here on others look at the model, and may change it
                row["seconds"] = perf_counter() - begin
                if patience is None:
                    # Keeping Ctrl-C waiting takes some 9 µs, and it only comes behind a call.
                    history.since = epoch
                    history.rows.append(row)
                else:
                    with uninterrupted():
                        if watched < (history.best.loss if history.best else inf):
                            history.best = Best(epoch, watched, [p.data for p in parameters])
                            history.since = epoch
                        history.rows.append(row)
                report.epoch(row)
                for callback in callbacks:
                    callback(model, row)
            with uninterrupted():
                run.sync()
                if patience is not None and history.best:
                    for parameter, best in zip(parameters, history.best.parameters, strict=True):
                        parameter.data = best
                history.stopped = "epochs" if epoch - history.since < wait else "patience"
        except KeyboardInterrupt:
            history.stopped = "interrupt"
            run.sync()  # here too, for a second Ctrl-C may come before the one below
        except BaseException as error:
            history.stopped = "error"
            with suppress(AttributeError):  # some exceptions take no attributes
                error.history = history  # type: ignore[attr-defined]
                error.add_note(f"fit: the model has done whole steps only; .history is {history!r}")
            raise
        finally:
            run.sync()
            report.close()
    return history


class _Alone:
    """Keeps parameters for this thread: two at once would spoil each other's gradients unseen."""

    def __init__(self, parameters: list[Value]) -> None:
        self.parameters, self.thread = parameters, get_ident()

    def __enter__(self) -> None:
        with _changing:
            found = [_trained_by[p].thread for p in self.parameters if p in _trained_by]
            if any(thread != self.thread for thread in found):
                raise RuntimeError(
                    "another thread is training this model: give each thread a model of its own"
                )
            for parameter in self.parameters:
                _trained_by.setdefault(parameter, self)

    def __exit__(self, *error: object) -> None:
        with _changing:
            for parameter in self.parameters:
                if _trained_by.get(parameter) is self:  # and not a `fit` around this one
                    del _trained_by[parameter]


# Weak, for Ctrl-C may come where nothing has been deleted yet.
_trained_by: WeakValueDictionary[Value, _Alone] = WeakValueDictionary()
_changing = RLock()


def _measure(
    run: Callable[[Any, Sequence[int]], tuple[float, Outputs]],
    data: Any,
    targets: Targets,
    order: Sequence[int],
    size: int,
    metrics: dict[str, Metric],
    tick: Callable[[], None] = lambda: None,
) -> dict[str, float | None]:
    """Loss and metrics over the examples `order`, `size` at a time; None of no example."""
    if not order:
        return dict.fromkeys(["loss", *metrics])
    total, outputs = 0.0, []
    for i in range(0, len(order), size):
        batch = order[i : i + size]
        cost, found = run(data, batch)
        total += cost * (len(batch) / len(order))  # of a single batch, its loss to the bit
        outputs += found
        tick()
    shown = [targets[i] for i in order] if metrics else []
    return {"loss": total} | {name: metric(outputs, shown) for name, metric in metrics.items()}


def _read_validation(validation: Any, examples: Examples) -> Examples:
    if validation is None:
        return Examples([], [])
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise TypeError(f"validation is a pair (X, y), got {validation!r:.80}")
    X, y = validation
    held_out = read_examples(X, y, "validation ")
    if len(held_out.rows[0]) != len(examples.rows[0]):
        raise ValueError(
            f"validation X has rows of {len(held_out.rows[0])} number(s), X of "
            f"{len(examples.rows[0])}: give both the same"
        )
    return held_out


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


def _try(model: Any, loss: Any, data: Iterable[Examples], size: int) -> Any:
    """One output of the model as numbers, after the loss was tried on every target."""
    if isinstance(loss, str) or not callable(loss):
        raise TypeError(f"loss is a function such as mse_loss, got {loss!r:.80}")
    output = model(next(iter(data)).rows[0])
    values = [output] if isinstance(output, Value) else output
    listed = isinstance(values, list | tuple) and len(values) > 0
    if not listed or not all(isinstance(value, Value) for value in values):
        raise TypeError(f"model returns a Value or a list of them, got {output!r:.80}")
    for examples in data:
        for i in range(0, len(examples.targets), size):
            targets = examples.targets[i : i + size]
            cost = loss([output] * len(targets), targets)
            if not isinstance(cost, Value):
                raise TypeError(f"loss returns a Value, got {type(cost).__name__}: {cost!r:.80}")
    return numbers(output)
