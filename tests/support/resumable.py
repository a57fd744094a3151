"""A training that goes on where its last checkpoint stands; run as a program, it can be killed.

python -m tests.support.resumable CHECKPOINT END COMPILE KIND [EPOCH:STAGE]

COMPILE is 0 or 1. The number of each epoch is printed before that epoch is saved in CHECKPOINT, and
what the training comes to is saved in END. With EPOCH:STAGE the process kills itself while it saves
that epoch, at one of `STAGES`.
"""

from __future__ import annotations

import itertools
import math
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from micrograd_like import (
    MLP,
    SGD,
    Adam,
    History,
    binary_cross_entropy_with_logits,
    fit,
    load_checkpoint,
    moons,
    save,
)

STAGES = ("before the text", "before the sync", "after the sync", "after the move")
KINDS: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "adam": (
        lambda parameters: Adam(parameters, lr=lambda step: 0.05 / math.sqrt(1 + step)),
        {"epochs": 80},
    ),
    "momentum, patience": (
        lambda parameters: SGD(parameters, lr=lambda step: 0.1 * 0.995**step, momentum=0.5),
        {"epochs": 150, "patience": 9},
    ),
}


def train(
    compile: bool, kind: str, checkpoint: Path | None = None, tell: Callable[[int], object] = int
) -> tuple[MLP, Any, History, random.Random]:
    """From the start, or from the checkpoint; without one, nothing is written."""
    rng = random.Random(5)
    X, y = moons(40, 0.3, random.Random(1))
    model: Any = MLP(2, [6, 1], activation="tanh", init="glorot", rng=rng)
    make, options = KINDS[kind]
    history, state = History(), None
    if checkpoint and checkpoint.exists():
        model, state, history, rng = load_checkpoint(checkpoint)  # type: ignore[assignment]
    optimizer = make(model.parameters())
    if state:
        optimizer.load_state_dict(state)

    def keep(model: Any, row: dict[str, Any]) -> None:
        tell(row["epoch"])
        if checkpoint:
            save(model, checkpoint, optimizer=optimizer, history=history, rng=rng)

    fit(
        model,
        X,
        y,
        loss=binary_cross_entropy_with_logits,
        optimizer=optimizer,
        batch_size=16,
        validation=moons(15, 0.3, random.Random(2)),
        compile=compile,
        progress=False,
        rng=rng,
        callbacks=[keep] if checkpoint else [],
        history=history,
        **options | {"epochs": options["epochs"] - len(history.rows)},
    )
    return model, optimizer, history, rng


def die_at(epoch: int, stage: str) -> Callable[[int], None]:
    """A function to call with each epoch, which lets this process die at `epoch`, at that stage."""
    lines = itertools.count(int(stage) if stage.isdecimal() else 0, -1)

    def die(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    def move_and_die(path: Path, target: Path) -> None:
        os.replace(path, target)  # noqa: PTH105
        die()

    def trace(*_: Any) -> Any:
        if next(lines) == 0:
            die()
        return trace

    def tell(now: int) -> None:
        if now != epoch:
            return
        if stage.isdecimal():  # so many lines later, and calls, and returns
            sys.settrace(trace)
        elif stage == "before the text":
            die()
        elif stage == "before the sync":
            os.fsync = die
        elif stage == "after the sync":
            Path.replace = die  # type: ignore[method-assign]
        else:
            Path.replace = move_and_die  # type: ignore[method-assign,assignment]

    return tell


def main(checkpoint: str, end: str, compiled: str, kind: str, death: str = "") -> None:
    epoch, _, stage = death.partition(":")
    armed = die_at(int(epoch), stage) if death else int

    def tell(now: int) -> None:
        print(now, flush=True)
        armed(now)

    model, optimizer, history, rng = train(compiled == "1", kind, Path(checkpoint), tell)
    save(model, end, optimizer=optimizer, history=history, rng=rng)


if __name__ == "__main__":
    main(*sys.argv[1:])
