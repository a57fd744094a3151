"""Files: a model, and a training to go on with, as JSON that is either whole or refused.

The text of a file is a function of its content, and a checksum stands over it; so a file that
differs by one byte from what was written is refused, and numbers come back to the bit.
"""

from __future__ import annotations

import errno
import json
import os
import random
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from itertools import chain
from math import inf, isfinite, nan
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar, overload

from micrograd_like._internal.arguments import generator
from micrograd_like._internal.text import printable
from micrograd_like.nn import MLP, Layer, Module, Neuron
from micrograd_like.operation import Op
from micrograd_like.optim import Optimizer
from micrograd_like.training.history import Best, History

FORMAT, VERSION = "micrograd_like", 1
_TYPES = (Neuron, Layer, MLP)  # of which a file has all that it takes to make them

Own = TypeVar("Own", bound=Module)


class ModelFileError(ValueError):
    """A file that holds no model, or no longer: `path` and `reason` say which and why."""

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        super().__init__(f"{os.fspath(path)}: {reason}")
        self.path, self.reason = os.fspath(path), reason


class Checkpoint(NamedTuple):
    """The contents of a file: a model and, where they were saved with it, the state of a training.

    - `optimizer`: what `optimizer.state_dict()` gave; hand it to `load_state_dict`.
    - `history`: hand it to `fit(history=…)`.
    - `rng`: the generator that shuffles, as it was; hand it to `fit(rng=…)`.
    """

    model: Module
    optimizer: dict[str, Any] | None = None
    history: History | None = None
    rng: random.Random | None = None


def save(
    model: Module,
    path: str | os.PathLike[str],
    *,
    optimizer: Optimizer | None = None,
    history: History | None = None,
    rng: random.Random | None = None,
) -> None:
    """Write `model` to the file `path`; with `optimizer`, `history` and `rng` a training goes on.

    `fit` shows how it survives a kill. The file is written beside its place and then moved there,
    so at any moment there is either the old file or the new one, whole; it keeps the permissions
    of the old and, where that is allowed, its owner. A link stays a link and its target is
    replaced. Of a Module of one's own the file has the names and numbers of its parameters and the
    activations of its neurons, and `load(path, into=model)` reads it. Whatever is raised, the old
    file stays:

    - TypeError: this is no Module, or no optimiser, history or generator with a state.
    - ValueError: an activation is a function, a parameter is nan or inf, or `load_checkpoint` would
      refuse this state of a training, such as a metric that is no number.
    - OSError: the disk refuses, or what stands at `path` is no regular file but a folder, a pipe,
      a socket or a device.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.json")
    >>> model = MLP(2, [3, 1], rng=random.Random(0))
    >>> save(model, path)
    >>> load(path).state_dict() == model.state_dict()
    True
    """
    if optimizer is not None and not hasattr(optimizer, "state_dict"):
        raise TypeError(f"optimizer is one such as Adam(...), or None, got {optimizer!r:.80}")
    if history is not None and not isinstance(history, History):
        raise TypeError(f"history is one that fit returned, or None, got {history!r:.80}")
    if isinstance(rng, random.SystemRandom):
        raise TypeError("rng is a random.SystemRandom, which has no state: use random.Random(seed)")
    training = {
        "optimizer": optimizer and _spelled(optimizer.state_dict()),
        "history": None if history is None else _from_history(history),
        "rng": None if rng is None else _spelled(generator(rng).getstate()),
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


@overload
def load(path: str | os.PathLike[str]) -> Neuron | Layer | MLP: ...
@overload
def load(path: str | os.PathLike[str], into: Own) -> Own: ...
def load(path: str | os.PathLike[str], into: Module | None = None) -> Module:
    """The model in the file `path`, with the bits of its parameters.

    With `into`, a Module, its parameters become those in the file and it is returned. A file of a
    Module of one's own needs that, for it holds no code. The names of the parameters must be the
    same, and the activations of all neurons that have one with a name; else nothing is changed.

    Whatever is wrong with the file raises ModelFileError; a file that can't be opened, OSError.
    Line ends may have become those of Windows since it was written.

    >>> import tempfile, os
    >>> from micrograd_like import Module, Value
    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    >>> path = os.path.join(tempfile.mkdtemp(), "line.json")
    >>> trained = Line()
    >>> trained.slope.data = 3.5
    >>> save(trained, path)
    >>> load(path, into=Line()).slope
    Value(data=3.5, grad=0.0)
    """
    return load_checkpoint(path, into).model


def load_checkpoint(path: str | os.PathLike[str], into: Module | None = None) -> Checkpoint:
    """The model in the file `path` and its training, to go on as `fit` shows; raises as `load`.

    >>> import tempfile, os
    >>> from micrograd_like import Adam
    >>> path = os.path.join(tempfile.mkdtemp(), "model.json")
    >>> model = MLP(2, [1])
    >>> save(model, path, optimizer=Adam(model.parameters()))
    >>> checkpoint = load_checkpoint(path)
    >>> Adam(checkpoint.model.parameters()).load_state_dict(checkpoint.optimizer)
    """
    if into is not None and not isinstance(into, Module):
        raise TypeError(f"into is a Module whose parameters are set, got {into!r:.80}")
    raw = Path(path).read_bytes()
    try:
        content = _content(raw)
        training = _to_training(content["training"])
        model = _to_model(content["model"]) if into is None else _into(into, content["model"])
        return Checkpoint(model, *training)
    except _Refused as refused:
        raise ModelFileError(path, str(refused)) from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ModelFileError(path, f"it holds no model: {error}"[:300]) from None


class _Refused(Exception):
    pass


def _refuse(reason: str) -> NoReturn:
    raise _Refused(printable(reason))  # which may quote names that are in the file


def _text(content: dict[str, Any]) -> str:
    """The one text of this content: the checksum is that of the text with the checksum left out."""
    frame = {"format": FORMAT, "version": VERSION, "checksum": "", **content}
    frame["checksum"] = sha256(_dump(frame).encode()).hexdigest()
    return _dump(frame)


def _dump(frame: dict[str, Any]) -> str:
    return json.dumps(frame, indent=1, allow_nan=False) + "\n"


def _content(raw: bytes) -> dict[str, Any]:
    """The contents of a file from its bytes, after everything about them has been checked."""
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError as error:
        _refuse(f"byte {error.start} is not ASCII, as all bytes of such a file are")
    if text.count("\r\n") == text.count("\n"):  # version control makes them Windows' line ends
        text = text.replace("\r\n", "\n")
    try:
        frame = json.loads(text, parse_constant=_no_constant)
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
    if _text(content) != text:  # nor is it if a name stands twice
        _refuse("its checksum does not match: it was changed or damaged after it was written")
    return content


def _no_constant(name: str) -> NoReturn:
    _refuse(f"{name} is no number that a model can have")


# The fields of a file and what each may hold. A check takes what was read and the path to it, and
# gives what it stands for. That a checksum is right says nothing: anybody can compute one.

_Check = Callable[[Any, str], Any]


def _wrong(entry: Any, where: str, wanted: str) -> NoReturn:
    _refuse(f"{where[:80]} is {entry!r:.80}, and should be {wanted}")


def _kind(wanted: str, fits: Callable[[Any], bool]) -> _Check:
    def check(entry: Any, where: str) -> Any:
        return entry if fits(entry) else _wrong(entry, where, wanted)

    return check


def _whole(least: int, most: int = 2**63 - 1) -> _Check:
    wanted = f"a whole number from {least} to {most}"
    return _kind(wanted, lambda x: type(x) is int and least <= x <= most)


def _named(check: _Check) -> _Check:
    """Numbers, with the names of those that JSON has not: a loss may well be nan."""
    names = {"nan": nan, "inf": inf, "-inf": -inf}
    return lambda x, where: names[x] if isinstance(x, str) and x in names else check(x, where)


def _optional(check: _Check) -> _Check:
    return lambda entry, where: None if entry is None else check(entry, where)


def _list(check: _Check) -> _Check:
    def checks(entries: Any, where: str) -> list[Any]:
        if not isinstance(entries, list):
            _wrong(entries, where, "a list")
        try:
            return [check(entry, "") for entry in entries]
        except _Refused:  # only now are the places worth their time
            return [check(entry, f"{where}[{i}]") for i, entry in enumerate(entries)]

    return checks


def _tuple(*checks: _Check) -> _Check:
    def check_each(entries: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(entries, list) or len(entries) != len(checks):
            _wrong(entries, where, f"a list of {len(checks)}")
        return tuple(
            check(entry, f"{where}[{i}]")
            for i, (check, entry) in enumerate(zip(checks, entries, strict=True))
        )

    return check_each


def _dict(
    rest: _Check | None = None, /, may_have: Mapping[str, _Check] | None = None, **fields: _Check
) -> _Check:
    """A dict that has these fields, and others only if there is a check for them or the rest."""

    def checks(entries: Any, where: str) -> dict[str, Any]:
        names = set(entries) if isinstance(entries, dict) else set()
        here = fields | {name: check for name, check in (may_have or {}).items() if name in names}
        if not names >= set(here) or (rest is None and names != set(here)):
            _wrong(entries, where, f"a dict of {', '.join(here)}")
        return {
            name: here.get(name, rest)(entry, f"{where}.{name}")  # type: ignore[misc]
            for name, entry in entries.items()
        }

    return checks


_STRING = _kind("a string", lambda x: isinstance(x, str))
_FINITE = _kind("a finite float", lambda x: type(x) is float and isfinite(x))
_FLOAT = _named(_kind("a float", lambda x: type(x) is float))
_NUMBER = _named(
    _kind(
        "a number",
        lambda x: isinstance(x, float) or (isinstance(x, int) and abs(x) <= sys.float_info.max),
    )
)
_LAYERS = _dict(
    may_have={"biases": _list(_list(_kind("true or false", lambda x: isinstance(x, bool))))},
    type=_STRING,
    inputs=_list(_whole(1)),
    activations=_list(_list(_STRING)),
    parameters=_list(_FINITE),
)
_OWN = _dict(
    may_have={"activations": _list(_optional(_STRING))},  # of a function there is no name
    type=_STRING,
    names=_list(_STRING),
    parameters=_list(_FINITE),
)
_BEST = _tuple(_whole(1), _FLOAT, _list(_FLOAT))
_ROW = _dict(_optional(_NUMBER), epoch=_whole(1))


_OPTIMIZER = _dict(  # with its buffers by their names, and where there are groups, their sizes
    _list(_FLOAT), may_have={"groups": _list(_whole(0))}, optimizer=_STRING, steps=_whole(0)
)
_RNG = _tuple(_whole(3, 3), _list(_whole(0, 2**32 - 1)), _optional(_FINITE))  # random.getstate's
_TRAINING = _dict(
    optimizer=_optional(_OPTIMIZER),
    history=_optional(
        _dict(rows=_list(_ROW), stopped=_STRING, best=_optional(_BEST), since=_whole(0))
    ),
    rng=_optional(_RNG),
)


def _from_model(model: Any) -> dict[str, Any]:
    if not isinstance(model, Module):
        raise TypeError(
            f"only a Module such as an MLP can be saved, got {type(model).__name__}: {model!r:.80}"
        )
    state = model.state_dict()
    for name, number in state.items():
        if not isfinite(number):
            raise ValueError(f"{name} is {number}: a model with nan or inf is not saved")
    parameters = list(state.values())
    if type(model) not in _TYPES:
        told = [x if isinstance(x, str) else None for x in _activations(model)]
        return {
            "type": type(model).__name__,
            "names": list(state),
            **({"activations": told} if told else {}),
            "parameters": parameters,
        }
    rows = _rows(model)
    activations = [[_activation(neuron) for neuron in row] for row in rows]
    for activation in chain(*activations):
        if not isinstance(activation, str):
            raise ValueError(
                f"activation {activation!r:.80} is a function, which no file can hold: use an "
                "activation that has a name"
            )
    biases = [[neuron.b is not None for neuron in row] for row in rows]
    return {
        "type": type(model).__name__,
        "inputs": [len(row[0].w) for row in rows],
        "activations": activations,
        **({} if all(map(all, biases)) else {"biases": biases}),
        "parameters": parameters,
    }


def _rows(model: Any) -> list[list[Neuron]]:
    """The neurons of a Neuron, a Layer or an MLP, layer by layer."""
    layers = model.layers if isinstance(model, MLP) else [model]
    return [layer.neurons if isinstance(layer, Layer) else [layer] for layer in layers]


def _activations(module: Module) -> list[Any]:
    """The activations of all neurons in a Module."""
    if isinstance(module, Neuron):
        return [_activation(module)]
    parts = [part for _, part in module._attributes() if isinstance(part, Module)]
    return list(chain.from_iterable(map(_activations, parts)))


def _activation(neuron: Neuron) -> Any:
    """The name of an activation, as a row of the table has one too; a function stays one."""
    activation = neuron.activation
    return activation.name if isinstance(activation, Op) else activation


def _is_own(data: Any) -> bool:
    return isinstance(data, dict) and "names" in data


def _to_model(data: Any) -> Neuron | Layer | MLP:
    if _is_own(data):
        kind = _OWN(data, "model")["type"]
        _refuse(f"it has the parameters of {kind:.80}: make one and write load(path, into=model)")
    data = _LAYERS(data, "model")
    kind, inputs, activations = data["type"], data["inputs"], data["activations"]
    nouts = [len(row) for row in activations]
    if not nouts or not all(nouts) or inputs[1:] != nouts[:-1] or len(inputs) != len(nouts):
        _refuse(f"layers with {inputs!r:.80} inputs and {nouts!r:.80} neurons do not follow")
    biases = data.get("biases") or [[True] * nout for nout in nouts]
    if [len(row) for row in biases] != nouts:
        _refuse(f"there are biases of {biases!r:.80} for layers of {nouts!r:.80} neurons")
    sizes = zip(inputs, biases, strict=True)
    wanted = sum(nin * len(row) + sum(row) for nin, row in sizes)
    if wanted != len(data["parameters"]):
        _refuse(f"the layers have {wanted} parameters, and the file has {len(data['parameters'])}")
    unused = random.Random(0)
    model: Neuron | Layer | MLP
    if kind == "MLP":
        model = MLP(inputs[0], nouts, rng=unused)
    elif kind == "Layer" and len(nouts) == 1:
        model = Layer(inputs[0], nouts[0], rng=unused)
    elif kind == "Neuron" and nouts == [1]:
        model = Neuron(inputs[0], rng=unused)
    else:
        _refuse(f"type {kind!r:.80} with {len(nouts)} layer(s) is no Neuron, Layer or MLP")
    for row, *told in zip(_rows(model), activations, biases, strict=True):
        for neuron, activation, bias in zip(row, *told, strict=True):
            neuron.activation = activation
            if not bias:
                neuron.b = None
    model.load_state_dict(dict(zip(model.state_dict(), data["parameters"], strict=True)))
    return model


def _into(model: Module, data: Any) -> Module:
    """The model with the numbers of a file; nothing is changed if they are not for it."""
    if _is_own(data):
        data = _OWN(data, "model")
        names, parameters = data["names"], data["parameters"]
        if len(set(names)) != len(names) or len(names) != len(parameters):
            _refuse(f"it has {len(names)} name(s) for {len(parameters)} parameter(s), or one twice")
        state = dict(zip(names, parameters, strict=True))
        found = data.get("activations", [])
    else:
        other = _to_model(data)
        state, found = other.state_dict(), _activations(other)
    if state.keys() == model.state_dict().keys():
        wanted = _activations(model)
        pairs = zip(found, wanted, strict=False)
        if any(its is not None and its != other for its, other in pairs):
            its, those = [", ".join(dict.fromkeys(map(str, names))) for names in (found, wanted)]
            _refuse(f"its activations are {its}, and those of the model {those}")
    try:
        model.load_state_dict(state)
    except ValueError as error:
        _refuse(f"its parameters are not those of this {type(model).__name__}: {error}")
    return model


def _to_training(data: Any) -> tuple[dict[str, Any] | None, History | None, random.Random | None]:
    if data is None:
        return None, None, None
    data = _TRAINING(data, "training")
    history, rng = data["history"], data["rng"]
    if history:
        history = History(**history | {"best": history["best"] and Best(*history["best"])})
    if rng:
        version, words, gauss = rng
        rng = random.Random()
        try:
            rng.setstate((version, tuple(words), gauss))
        except ValueError as error:
            _refuse(f"training.rng is no state of Python's generator: {error}")
    return data["optimizer"], history, rng


def _from_history(history: History) -> dict[str, Any]:
    best = history.best
    if best is not None:
        best = Best(best.epoch, float(best.loss), list(map(float, best.parameters)))
    return {
        "rows": _spelled(history.rows),
        "stopped": history.stopped,
        "best": _spelled(best),
        "since": history.since,
    }


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


def _replace(path: Path, text: str) -> None:
    """Put a file with this text in the place of `path`, in one step, and on the disk."""
    try:
        old = path.stat()
    except FileNotFoundError:
        old = None
    if old and not stat.S_ISREG(old.st_mode):
        what = "a folder" if stat.S_ISDIR(old.st_mode) else "no regular file"
        code = errno.EISDIR if stat.S_ISDIR(old.st_mode) else errno.EINVAL
        raise OSError(code, f"a model is not written over {what}: give another path", str(path))
    target = Path(os.path.realpath(path))  # a link stays a link
    temporary = target.with_name(f".micrograd_like-{os.urandom(8).hex()}")
    mode = stat.S_IMODE(old.st_mode) if old else 0o666  # of which the umask takes some

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    try:
        with open(temporary, "x", encoding="ascii", newline="\n", opener=opener) as file:
            file.write(text)
            file.flush()
            if old:
                _like(old, temporary)
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)  # Ctrl-C may come just after it was moved
        if isinstance(error, OSError) and error.filename:  # which names the temporary file
            raise type(error)(error.errno, error.strerror, str(path)) from None
        raise
    _sync_folder(target.parent)


def _like(old: os.stat_result, new: Path) -> None:
    """Give a file the owner, the group and the permissions of another, as far as one may."""
    if hasattr(os, "chown"):
        for owner, group in ((old.st_uid, -1), (-1, old.st_gid)):
            with suppress(PermissionError):
                os.chown(new, owner, group)
    new.chmod(stat.S_IMODE(old.st_mode))


def _sync_folder(folder: Path) -> None:
    """Have the disk keep the new name too, where folders can be opened (not on Windows)."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
