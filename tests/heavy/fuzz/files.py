"""Model files: what `load` and `load_checkpoint` read."""

from __future__ import annotations

import json
import random
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

from micrograd_like import MLP, SGD, Adam, AdamW, Layer, ModelFileError, Neuron, fit, load, save
from micrograd_like.datasets import xor
from micrograd_like.losses import binary_cross_entropy_with_logits
from micrograd_like.optim import Optimizer
from micrograd_like.training.history import Best, History
from micrograd_like.training.serialization import Checkpoint, load_checkpoint
from tests.heavy.fuzz.target import Mutation, Target
from tests.support.model_files import content, signed

LONGEST_REASON = 400
OPTIMIZERS: dict[str, type[SGD | Adam]] = {"SGD": SGD, "Adam": Adam, "AdamW": AdamW}

_kept = tempfile.TemporaryDirectory()
FOLDER = Path(_kept.name)


def check(data: bytes) -> None:
    path, again = FOLDER / "model.json", FOLDER / "again.json"
    path.write_bytes(data)
    try:
        checkpoint = load_checkpoint(path)
    except ModelFileError as error:
        refused = error
    else:
        use_again(checkpoint, data, again)
        return
    reason = refused.reason
    assert refused.path == str(path), f"the error is about {refused.path}"
    assert reason.isprintable(), f"a reason that is not one line: {reason!r}"
    assert len(reason) <= LONGEST_REASON, f"a reason of {len(reason)} characters: {reason:.200}"
    assert path.read_bytes() == data, "the file was changed"
    assert list(FOLDER.iterdir()) == [path], "something was left behind"


def use_again(checkpoint: Checkpoint, data: bytes, again: Path) -> None:
    """Save what was loaded, load that, and use it."""
    own = signed(content(data)).encode()
    assert own in (data, data.replace(b"\r\n", b"\n")), (
        "its checksum does not match, or its spelling is another"
    )
    before = described(checkpoint)
    optimizer = fitting(checkpoint)
    save(
        checkpoint.model, again, optimizer=optimizer, history=checkpoint.history, rng=checkpoint.rng
    )
    saved = again.read_bytes()
    after = described(load_checkpoint(again))
    assert repr(load(again).state_dict()) == before[1]
    again.unlink()
    taken = optimizer is not None or checkpoint.optimizer is None
    assert after == (before if taken else [*before[:2], "None", *before[3:]])
    if taken and any(checkpoint[1:]):  # of no training there are two spellings
        assert in_order(saved) == in_order(data), "the same content, and another file"
    use(checkpoint)


def in_order(data: bytes) -> str:
    return json.dumps(content(data), sort_keys=True)


def described(checkpoint: Checkpoint) -> list[str]:
    """All of it, to the bit, as text: so that nan is like nan."""
    history, rng = checkpoint.history, checkpoint.rng
    return [
        repr(checkpoint.model),
        repr(checkpoint.model.state_dict()),
        repr(checkpoint.optimizer),
        repr(vars(history) if history else None),
        repr(rng.getstate() if rng else None),
    ]


def fitting(checkpoint: Checkpoint) -> Optimizer | None:
    """An optimiser in that state, if it is the state of one of ours for this model."""
    state = checkpoint.optimizer
    kind = OPTIMIZERS.get(state["optimizer"]) if state else None
    if state is None or kind is None:
        return None
    optimizer = kind(checkpoint.model.parameters(), 0.1)
    try:
        optimizer.load_state_dict(state)
    except (ValueError, TypeError):
        return None
    return optimizer


def use(checkpoint: Checkpoint) -> None:
    """The things people do with a checkpoint; none of them may be a surprise."""
    model, history, rng = checkpoint.model, checkpoint.history, checkpoint.rng
    first: Any = model.layers[0] if isinstance(model, MLP) else model
    neuron = first.neurons[0] if isinstance(first, Layer) else first
    model([0.5] * len(neuron.w))
    assert model.summary()
    if history is not None:
        str(history)
        if history.rows:
            history.sparkline("epoch")
    if rng is not None:
        assert isinstance(rng.gauss(), float)
        rng.shuffle([1, 2, 3])


def seeds() -> list[bytes]:
    rng = random.Random(0)
    small: list[Any] = [Neuron(1, rng=rng), Layer(2, 2, activation="tanh", rng=rng)]
    files: list[dict[str, Any]] = [{"model": model} for model in small]
    files.append({"model": MLP(2, [3, 1], activation="sin", output="sigmoid", rng=rng)})
    for kind, trained in zip(OPTIMIZERS.values(), range(3), strict=True):
        model = MLP(2, [2, 1], activation="tanh", rng=rng)
        optimizer = kind(model.parameters(), 0.1)
        history = fit(
            model,
            *xor(),
            loss=binary_cross_entropy_with_logits,
            optimizer=optimizer,
            epochs=trained,
            patience=5,
            progress=False,
            rng=rng,
        )
        files.append({"model": model, "optimizer": optimizer, "history": history})
    rng.gauss()  # leaves half a pair behind
    files.append({"model": Neuron(1, rng=rng), "rng": rng})
    nan, inf = float("nan"), float("inf")
    worst = History([{"epoch": 1, "loss": nan, "val_loss": None}], "error", Best(1, -inf, [inf]))
    files.append({"model": Neuron(1, rng=rng), "history": worst})
    path = FOLDER / "seed.json"
    found = []
    for file in files:
        save(path=path, **file)
        found.append(path.read_bytes())
    path.unlink()
    return found


# Changes that know what JSON is. Most are given the right checksum, or nothing behind it would ever
# be reached.

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 624, 2**31, 2**32, 2**64, 10**400, 10**4299),
    *(0.0, -0.0, 1.0, 0.5, 5e-324, 1.7976931348623157e308, float("nan"), float("inf")),
    *("", "nan", "inf", "-inf", "1", "1.5", "abc", "\ud800", "\n", "x" * 500, "__class__"),
    *("MLP", "Layer", "Neuron", "relu", "tanh", "linear", "SGD", "Adam", "AdamW", "epoch", "loss"),
    *([], {}, [[]], [1], ["nan"], {"epoch": 1}, {"a": [{}]}, [1, 0.5, [0.5]]),
]


def mutate(data: bytes, longest: int, seed: int, own: Mutation) -> bytes:
    rng = random.Random(seed)
    way = rng.random()
    if way < 0.4:
        data = own(data, longest)
        if way < 0.2:
            return data
    try:
        parts = content(data)
        if way >= 0.4:
            for _ in range(rng.choice([1, 1, 1, 2, 3])):
                edit(parts, rng)
        text = signed(parts)
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError):  # no such JSON
        return own(data, longest)
    return text.encode()[:longest]


def edit(parts: Any, rng: random.Random) -> None:
    """Change one entry somewhere in it; deep entries are not more frequent."""
    holder, key = place(parts, rng)
    value = deepcopy(rng.choice(VALUES))
    match rng.randrange(8):
        case 0 | 1:
            holder[key] = value
        case 2:
            other, name = place(parts, rng)
            holder[key] = json.loads(json.dumps(other[name]))
        case 3:
            del holder[key]
        case 4 if isinstance(holder, list):
            holder.insert(key, rng.choice([value, deepcopy(holder[key])]))
        case 4:
            holder[rng.choice([v for v in VALUES if isinstance(v, str)])] = holder.pop(key)
        case 5:
            many = max(1, 3000 // len(repr(holder[key])))
            holder[key] = [deepcopy(holder[key]) for _ in range(rng.choice([1, 1, 2, many]))]
        case _ if isinstance(holder[key], int | float):
            number = holder[key]
            holder[key] = rng.choice([number + 1, -number, number * 2, float(number), str(number)])
        case _:
            holder[key] = value


def place(parts: Any, rng: random.Random) -> tuple[Any, Any]:
    """A list or dict within, and an index or name that it has."""
    holder, key = parts, rng.choice(list(parts))
    while isinstance(holder[key], list | dict) and holder[key] and rng.random() < 0.8:
        holder = holder[key]
        key = rng.randrange(len(holder)) if isinstance(holder, list) else rng.choice(list(holder))
    return holder, key


TOKENS = [
    *("null", "true", "NaN", "1e999", "-0.0", "{}", "[]", ", ", '"version": 2', '"epoch": 1'),
    *(json.dumps(value) for value in VALUES if isinstance(value, str) and len(value) < 40),
]

FILES = Target(
    check,
    seeds,
    [token.encode() for token in TOKENS],
    1 << 16,
    lambda data: data.decode("ascii", "backslashreplace"),
    mutate,
)
