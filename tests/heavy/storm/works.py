"""The works that a storm of interrupts falls on, each checked after every time it was cut short."""

from __future__ import annotations

import random
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from micrograd_like import MLP, SGD, Stepper, Value, compile, fit, moons, mse_loss

Work = Callable[[], Callable[[], None]]
"""Makes what is worked on, and returns one round of the work, which checks its own result."""

_STEPS = 24


def _close(a: list[float], b: list[float]) -> bool:
    return all(abs(x - y) <= 1e-9 * max(1.0, abs(y)) for x, y in zip(a, b, strict=True))


def _training(compiled: bool) -> Callable[[], None]:
    rng = random.Random(1)
    X, y = moons(40, 0.1, rng)
    model = MLP(2, [4, 1], rng=rng)
    parameters = model.parameters()
    start = [p.data for p in parameters]
    seen = [start]

    def train(steps: int, **more: Any) -> Any:
        optimizer = SGD(parameters, lr=0.05)
        return fit(
            model,
            X,
            y,
            loss=mse_loss,
            optimizer=optimizer,
            epochs=steps,
            shuffle=False,
            progress=False,
            compile=compiled,
            metrics=(),
            **more,
        )

    def reset() -> None:
        for parameter, number in zip(parameters, start, strict=True):
            parameter.data = number

    train(_STEPS, callbacks=[lambda *_: seen.append([p.data for p in parameters])])

    def round_() -> None:
        reset()
        try:
            history = train(_STEPS)
        except KeyboardInterrupt:
            history = None
        now = [p.data for p in parameters]
        steps = [i for i, numbers in enumerate(seen) if _close(now, numbers)]
        assert steps, f"the parameters are those after no number of steps: {now}"
        if history is not None:
            assert history.stopped in ("epochs", "interrupt"), history.stopped
            assert history.stopped != "epochs" or steps == [_STEPS], (steps, len(history.rows))
            # Ctrl-C may come between a step and its row.
            assert steps[0] - len(history.rows) in (0, 1), (steps, len(history.rows))

    return round_


def _programs(backend: str) -> Callable[[], None]:
    rng = random.Random(2)
    model = MLP(3, [8, 8, 1], activation="tanh", rng=rng)
    inputs = [Value(0.0) for _ in range(3)]
    output = model(inputs)
    rows = [[rng.uniform(-1, 1) for _ in range(3)] for _ in range(33)]
    mean, gradient = compile(output, inputs, backend=backend).value_and_grad(rows)

    def round_() -> None:
        program = compile(output, inputs, backend=backend)
        for _ in range(3):
            found, slopes = program.value_and_grad(rows)
            assert (found, list(slopes)) == (mean, list(gradient)), (found, mean)

    return round_


def _backward() -> Callable[[], None]:
    leaves = [Value(1.0 + i / 7) for i in range(50)]

    def build() -> Value:
        total = leaves[0]
        for i in range(3000):
            total = total * 0.5 + (leaves[i % 50] * total).tanh()
        return total

    build().backward()
    once = [leaf.grad for leaf in leaves]

    def round_() -> None:
        for leaf in leaves:
            leaf.grad = 0.0
        try:
            build().backward()
        except KeyboardInterrupt:
            # All of the leaves have gained, or none has; an interrupt can come before the return.
            assert [leaf.grad for leaf in leaves] in (once, [0.0] * 50)
            raise
        assert [leaf.grad for leaf in leaves] == once

    return round_


def _stepper() -> Callable[[], None]:
    a, b = Value(2.0, "a"), Value(-3.0, "b")
    root = (a * b + a).tanh() * b + a
    total = [a.grad, b.grad]

    def round_() -> None:
        stepper = Stepper(root)
        stepper.run()
        end = [a.grad, b.grad]
        stepper.reset()
        stepper.run()
        assert [a.grad, b.grad] == end, (total, end)

    return round_


WORKS: dict[str, Work] = {
    "training": lambda: _training(compiled=False),
    "compiled training": lambda: _training(compiled=True),
    "machine code": lambda: _programs("llvm"),
    "generated python": lambda: _programs("python"),
    "backward": _backward,
    "stepper": _stepper,
}


class Armed:
    """A handler of SIGINT that raises only while work is done, so that this loop is never cut."""

    def __init__(self) -> None:
        self.on, self.raised = False, 0

    def __call__(self, *_: object) -> None:
        if self.on:
            self.raised += 1
            raise KeyboardInterrupt


def main(name: str) -> None:
    armed = Armed()
    signal.signal(signal.SIGINT, armed)
    round_ = WORKS[name]()
    print("working", flush=True)
    whole = cut = 0
    while not select.select([sys.stdin], [], [], 0.0)[0]:
        try:
            armed.on = True
            round_()
            armed.on = False
            whole += 1
        except KeyboardInterrupt:
            armed.on = False
            cut += 1
        assert signal.getsignal(signal.SIGINT) is armed, "somebody else's handler was left behind"
    round_()
    print(f"{armed.raised} arrived, {whole} rounds whole, {cut} cut short", flush=True)
    armed.on = True
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        return
    sys.exit("Ctrl-C is dead")


if __name__ == "__main__":
    main(sys.argv[1])
