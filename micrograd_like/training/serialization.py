"""Files: a model, and a training to go on with, as JSON that is either whole or refused.

The text of a file is a function of its content, and a checksum stands over it; so a file that
differs by one byte from what was written is refused, and numbers come back to the bit.
"""

from __future__ import annotations

import json
import os
import random
import stat
import sys
import tempfile
from hashlib import sha256
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from micrograd_like.nn import MLP, Layer, Neuron
from micrograd_like.optim import Optimizer
from micrograd_like.training.history import Best, History

FORMAT, VERSION = "micrograd_like", 1
_NON_FINITE = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
_GREATEST_WHOLE = 2**63 - 1
_RNG_VERSION, _RNG_WORDS = 3, 624  # the Mersenne Twister's, as `random.getstate` gives them


class ModelFileError(ValueError):
    """A file that holds no model, or no longer: `path` and `reason` say which and why."""

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        super().__init__(f"{os.fspath(path)}: {reason}")
        self.path, self.reason = os.fspath(path), reason


class Checkpoint(NamedTuple):
    """What a file holds: a model and, where they were saved with it, the state of a training.

    - `optimizer`: what `optimizer.state_dict()` gave; hand it to `load_state_dict`.
    - `history`: hand it to `fit(history=…)`.
    - `rng`: the generator that shuffles, as it was; hand it to `fit(rng=…)`.
    """

    model: Neuron | Layer | MLP
    optimizer: dict[str, Any] | None = None
    history: History | None = None
    rng: random.Random | None = None


def save(
    model: Neuron | Layer | MLP,
    path: str | os.PathLike[str],
    *,
    optimizer: Optimizer | None = None,
    history: History | None = None,
    rng: random.Random | None = None,
) -> None:
    """Write `model` to the file `path`; with `optimizer`, `history` and `rng` a training goes on.

    `fit` shows how it survives a kill. The file is written beside its place and then moved there,
    so at any moment there is either the old file or the new one, whole; it keeps the permissions of
    the old. Raises TypeError for what is no Neuron, Layer or MLP, ValueError for an activation that
    is a function, for parameters that are nan or inf, and for a state of training that
    `load_checkpoint` would refuse, such as a metric that is no number, and OSError where the disk
    refuses; then the old file stays.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.json")
    >>> model = MLP(2, [3, 1], rng=random.Random(0))
    >>> save(model, path)
    >>> load(path).state_dict() == model.state_dict()
    True
    """
    training = {
        "optimizer": optimizer and _spelled(optimizer.state_dict()),
        "history": history and _from_history(history),
        "rng": rng and _spelled(rng.getstate()),
    }
    try:
        _to_training(training)
    except _Refused as refused:
        raise ValueError(f"this training could not be read again: {refused}") from None
    content = {
        "model": _from_model(model),
        "training": training if any(training.values()) else None,
    }
    _replace(Path(path), _text(content))


def load(path: str | os.PathLike[str]) -> Neuron | Layer | MLP:
    """The model in the file `path`, with the bits of its parameters.

    Whatever is wrong with the file raises ModelFileError; a file that can't be opened, OSError.
    """
    return load_checkpoint(path).model


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """The model in the file `path` and its training, to go on as `fit` shows; raises as `load`.

    >>> import tempfile, os
    >>> from micrograd_like import Adam
    >>> path = os.path.join(tempfile.mkdtemp(), "model.json")
    >>> model = MLP(2, [1])
    >>> save(model, path, optimizer=Adam(model.parameters()))
    >>> checkpoint = load_checkpoint(path)
    >>> Adam(checkpoint.model.parameters()).load_state_dict(checkpoint.optimizer)
    """
    raw = Path(path).read_bytes()
    try:
        content = _content(raw)
        return Checkpoint(_to_model(content["model"]), *_to_training(content["training"]))
    except _Refused as refused:
        raise ModelFileError(path, str(refused)) from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ModelFileError(path, f"it holds no model: {error}"[:300]) from None


class _Refused(Exception):
    pass


def _refuse(reason: str) -> NoReturn:
    raise _Refused(reason)


def _text(content: dict[str, Any]) -> str:
    """The one text of this content: the checksum is that of the text with the checksum left out."""
    frame = {"format": FORMAT, "version": VERSION, "checksum": "", **content}
    frame["checksum"] = sha256(_dump(frame).encode()).hexdigest()
    return _dump(frame)


def _dump(frame: dict[str, Any]) -> str:
    return json.dumps(frame, indent=1, allow_nan=False) + "\n"


def _content(raw: bytes) -> dict[str, Any]:
    """What the bytes of a file hold, after everything about them has been checked."""
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError as error:
        _refuse(f"byte {error.start} is not ASCII, as all bytes of such a file are")
    try:
        frame = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        _refuse("it is nested too deeply")
    except ValueError as error:  # a JSONDecodeError, or an integer of too many digits
        _refuse(f"it is not JSON, or was cut short: {error}"[:300])
    if not isinstance(frame, dict) or frame.get("format") != FORMAT:
        _refuse(f'it is no file of {FORMAT}: its "format" does not say so')
    version = frame.get("version")
    if type(version) is int and version > VERSION:
        _refuse(
            f"it has version {version!r:.20}, and this package reads up to {VERSION}: update it"
        )
    if version != VERSION or set(frame) != {"format", "version", "checksum", "model", "training"}:
        _refuse(f"its fields are not those of version {VERSION}: {sorted(frame)!r:.200}")
    content = {"model": frame["model"], "training": frame["training"]}
    if _text(content) != text:
        _refuse("its checksum does not match: it was changed or damaged after it was written")
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse(f"a name stands twice among {[name for name, _ in pairs]!r:.200}")
    return found


def _no_constant(name: str) -> NoReturn:
    _refuse(f"{name} is no number that a model can have")


# A model as plain data, and back; the checksum says that it is ours, and not that it is right, for
# anybody can compute a checksum.


def _from_model(model: Any) -> dict[str, Any]:
    if type(model) not in (Neuron, Layer, MLP):
        raise TypeError(
            f"only a Neuron, a Layer or an MLP can be saved, got {type(model).__name__}: keep "
            "model.state_dict() of one of your own"
        )
    for name, number in model.state_dict().items():
        if not isfinite(number):
            raise ValueError(f"{name} is {number}: a model with nan or inf is not saved")
    layers = model.layers if isinstance(model, MLP) else [model]
    rows = [layer.neurons if isinstance(layer, Layer) else [layer] for layer in layers]
    for neuron in (neuron for row in rows for neuron in row):
        if not isinstance(neuron.activation, str):
            raise ValueError(
                f"activation {neuron.activation!r:.80} is a function, which no file can hold: use "
                "an activation that has a name"
            )
    return {
        "type": type(model).__name__,
        "inputs": [len(row[0].w) for row in rows],
        "activations": [[neuron.activation for neuron in row] for row in rows],
        "parameters": list(model.state_dict().values()),
    }


def _to_model(data: Any) -> Neuron | Layer | MLP:
    data = _dict(data, "model", ("type", "inputs", "activations", "parameters"))
    kind, inputs, activations = data["type"], data["inputs"], data["activations"]
    numbers = _numbers(data["parameters"], "parameters")
    if not _whole(inputs, 1) or not isinstance(activations, list):
        _refuse(f"the layers' sizes are no sizes: {inputs!r:.80}")
    for row in activations:
        if not isinstance(row, list) or not row or not all(isinstance(a, str) for a in row):
            _refuse(f"the activations of a layer are no list of names: {row!r:.80}")
    nouts = [len(row) for row in activations]
    if len(inputs) != len(nouts) or not nouts or inputs[1:] != nouts[:-1]:
        _refuse(f"layers with {inputs!r:.80} inputs and {nouts!r:.80} neurons do not follow")
    wanted = sum((nin + 1) * nout for nin, nout in zip(inputs, nouts, strict=True))
    if wanted != len(numbers):
        _refuse(f"the layers have {wanted} parameters, and the file has {len(numbers)}")
    model: Neuron | Layer | MLP
    unused = random.Random(0)
    if kind == "MLP":
        model = MLP(inputs[0], nouts, rng=unused)
        layers = model.layers
    elif kind == "Layer" and len(nouts) == 1:
        model = Layer(inputs[0], nouts[0], rng=unused)
        layers = [model]
    elif kind == "Neuron" and nouts == [1]:
        model = Neuron(inputs[0], rng=unused)
        model.activation = activations[0][0]
        layers = []
    else:
        _refuse(f"type {kind!r:.80} with {len(nouts)} layer(s) is no Neuron, Layer or MLP")
    for layer, row in zip(layers, activations, strict=False):
        for neuron, activation in zip(layer.neurons, row, strict=True):
            neuron.activation = activation
    model.load_state_dict(dict(zip(model.state_dict(), numbers, strict=True)))
    return model


# The state of a training. A loss may well be nan, which JSON can't say, so it stands as a string.


def _to_training(data: Any) -> tuple[dict[str, Any] | None, History | None, random.Random | None]:
    if data is None:
        return None, None, None
    data = _dict(data, "training", ("optimizer", "history", "rng"))
    optimizer, history, rng = data["optimizer"], data["history"], data["rng"]
    return (
        None if optimizer is None else _to_optimizer(optimizer),
        None if history is None else _to_history(history),
        None if rng is None else _to_rng(rng),
    )


def _spelled(x: Any) -> Any:
    if isinstance(x, dict):
        return {name: _spelled(entry) for name, entry in x.items()}
    if isinstance(x, (list, tuple)):
        return [_spelled(entry) for entry in x]
    if isinstance(x, bool) or not isinstance(x, Real):
        return x
    if isinstance(x, Integral):
        return int(x)  # numpy's numbers are none of JSON's
    number = float(x)
    return number if isfinite(number) else repr(number)


def _read(x: Any) -> Any:
    return _NON_FINITE.get(x, x) if isinstance(x, str) else x


def _from_history(history: History) -> dict[str, Any]:
    rows, stopped, best, since = history.rows, history.stopped, history.best, history.since
    if best is not None:
        best = Best(best.epoch, float(best.loss), list(map(float, best.parameters)))
    return {"rows": _spelled(rows), "stopped": stopped, "best": _spelled(best), "since": since}


def _to_history(data: Any) -> History:
    data = _dict(data, "history", ("rows", "stopped", "best", "since"))
    rows, best = data["rows"], data["best"]
    if not isinstance(rows, list) or not isinstance(data["stopped"], str):
        _refuse(f"the history is no list of rows: {rows!r:.80}")
    for row in rows:
        if not isinstance(row, dict) or not _whole([row.get("epoch")], 1):
            _refuse(f"a row of the history is no dict with an epoch: {row!r:.80}")
        for name, x in row.items():
            if x is not None and not _is_number(_read(x)):
                _refuse(
                    f"epoch {row['epoch']} of the history has no number as {name!r:.80}: {x!r:.80}"
                )
    rows = [{name: _read(x) for name, x in row.items()} for row in rows]
    if not _whole([data["since"]], 0):
        _refuse(f"patience counts from epoch {data['since']!r:.80}")
    if best is not None:
        if not isinstance(best, list) or len(best) != 3 or not _whole(best[:1], 1):
            _refuse(f"the best epoch is no list of an epoch, a loss and parameters: {best!r:.80}")
        (loss,) = _floats(best[1:2], "best loss")
        best = Best(best[0], loss, _floats(best[2], "best parameters"))
    return History(rows, data["stopped"], best, data["since"])


def _to_optimizer(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict) or not isinstance(data.get("optimizer"), str):
        _refuse(f"the optimiser's state has no name: {data!r:.80}")
    if not _whole([data.get("steps")], 0):
        _refuse(f"the optimiser's number of steps is {data.get('steps')!r:.80}")
    return {
        name: entry if name in ("optimizer", "steps") else _floats(entry, f"{name!r:.80}")
        for name, entry in data.items()
    }


def _to_rng(data: Any) -> random.Random:
    parts: Any = data if isinstance(data, list) and len(data) == 3 else [None] * 3
    version, words, gauss = parts
    if (
        not (type(version) is int and version == _RNG_VERSION)
        or not (_whole(words, 0) and len(words) == _RNG_WORDS + 1)
        or not (max(words) < 2**32 and words[-1] <= _RNG_WORDS)
        or not (gauss is None or (type(gauss) is float and isfinite(gauss)))
    ):
        _refuse(f"the random generator's state is none of Python's: {data!r:.80}")
    rng = random.Random()
    rng.setstate((version, tuple(words), gauss))
    return rng


def _dict(data: Any, name: str, fields: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(data, dict) or set(data) != set(fields):
        _refuse(f"its {name} has not the fields {', '.join(fields)}: {data!r:.80}")
    return data


def _whole(items: Any, least: int) -> bool:
    return isinstance(items, list) and all(
        type(x) is int and least <= x <= _GREATEST_WHOLE for x in items
    )


def _is_number(x: Any) -> bool:
    return isinstance(x, float) or (isinstance(x, int) and abs(x) <= sys.float_info.max)


def _floats(items: Any, what: str) -> list[float]:
    numbers: list[Any] = list(map(_read, items)) if isinstance(items, list) else [None]
    if not all(type(x) is float for x in numbers):
        _refuse(f"its {what} are not all floats: {items!r:.80}")
    return numbers


def _numbers(items: Any, what: str) -> list[float]:
    if not isinstance(items, list) or not all(type(x) is float and isfinite(x) for x in items):
        _refuse(f"its {what} are not all finite floats")
    return items


def _replace(path: Path, text: str) -> None:
    """Put a file with this text in the place of `path`, in one step, and on the disk."""
    target = path.resolve()  # a link stays a link
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:  # which names the temporary file
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None
    try:
        with os.fdopen(handle, "w", encoding="ascii", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(_permissions(target))
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)  # Ctrl-C may come just after it was moved
        raise
    _sync_folder(target.parent)


def _permissions(target: Path) -> int:
    """Those of the file that is replaced, or else those that a new file gets."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """Have the disk keep the new name too, where folders can be opened (not on Windows)."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
