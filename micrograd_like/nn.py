"""Networks: `Neuron`, a weighted sum and an activation; `Layer`, neurons side by side; `MLP`.

>>> model = MLP(2, [3, 1])
>>> print(model.summary())
layer     shape  activation  parameters
layers.0  2 → 3  relu                 9
layers.1  3 → 1  linear               4
total                                13
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from dataclasses import fields, is_dataclass
from itertools import pairwise
from numbers import Real
from operator import mul
from types import SimpleNamespace
from typing import Any

from micrograd_like._internal.arguments import NO_SEQUENCE, generator, number, switch, whole
from micrograd_like._internal.cuts import cut
from micrograd_like._internal.text import Text, aligned, html_table, listed, one_line
from micrograd_like.engine import Value
from micrograd_like.functions import elu, gelu, leaky_relu, silu
from micrograd_like.operation import OPS, Op, Operators, is_truth, real

__all__ = ["MLP", "Layer", "Module", "Neuron"]

Part = tuple[str, "Value | Module"]
"""A Value or a Module, and the path that leads to it."""

_Path = tuple[()] | tuple["_Path", Any]
"""An attribute, a key or a position, behind the path of what it was found in."""

_TEXT = (str, bytes, bytearray, memoryview, range)


def _spelled(path: _Path) -> str:
    keys = []
    while path:
        path, key = path
        keys.append(str(key))
    return ".".join(reversed(keys))


def _entries(item: Any) -> Iterable[tuple[Any, Any]]:
    """The names or positions, and the things, in what can hold parameters."""
    if isinstance(item, (list, tuple, deque, ValuesView)):
        return enumerate(item)
    if isinstance(item, Mapping):
        return item.items()
    if isinstance(item, Sequence) and not isinstance(item, _TEXT):
        return enumerate(item)
    if is_dataclass(item) and not isinstance(item, type):
        return [(field.name, getattr(item, field.name, None)) for field in fields(item)]
    if isinstance(item, SimpleNamespace):
        return vars(item).items()
    if type(item).__module__ == "numpy" and str(getattr(item, "dtype", "")) == "object":
        return enumerate(item.tolist()) if item.ndim else [("0", item.item())]
    return ()


def _leads_to(value: Value, parameters: Mapping[Value, Any]) -> bool:
    seen, stack = {value}, [value]
    while stack:
        node = stack.pop()
        if node in parameters or (node.op and OPS[node.op].constant):
            return True  # what is detached is meant to be a constant
        for parent in node.parents:
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return False


class Module:
    """A part of a model: its parameters are found in its attributes.

    A parameter is a leaf Value. Modules, lists and other sequences, dicts, dataclasses and numpy
    arrays of objects are searched, in the order in which the attributes were set. A Value that was
    made from parameters is a result and no parameter; one that an operation made of something else,
    as `Value(0.5) * 0.1`, raises ValueError, since training would never reach it. A set, which has
    no order, raises TypeError. A subclass with other parameters defines `parameters` itself.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...     def __call__(self, x):
    ...         return self.slope * x + self.offset
    >>> Line().state_dict()
    {'slope': 2.0, 'offset': 1.0}
    """

    def __call__(self, x: Any) -> Any:
        """The output for one example. A subclass defines it."""
        name = type(self).__name__
        forward = " (its forward is not called by itself: name it __call__)"
        raise TypeError(
            f"{name} can't be called: define __call__(self, x) in it"
            f"{forward if hasattr(self, 'forward') else ''}"
        )

    def _attributes(self) -> Iterator[Part]:
        """The leaf Values and Modules in the attributes, and where each is."""
        for path, part in self._found():
            if isinstance(part, Module) or not part.op:
                yield _spelled(path), part

    def _found(self) -> Iterator[tuple[_Path, Value | Module]]:
        entered: dict[int, object] = {}  # by id; a list may contain itself
        inside: list[tuple[_Path, Iterator[tuple[Any, Any]]]] = [((), iter(vars(self).items()))]
        while inside:
            path, entries = inside[-1]
            for key, item in entries:
                kind = type(item)
                if kind is Value or isinstance(item, Module):
                    yield (path, key), item
                elif kind in _PLAIN or id(item) in entered:
                    continue
                elif isinstance(item, (set, frozenset)):
                    if any(isinstance(entry, (Value, Module)) for entry in item):
                        raise TypeError(
                            f"{_spelled((path, key))}: parameters in a {kind.__name__} have no "
                            "order, and so no names: keep them in a list"
                        )
                else:
                    entered[id(item)] = item
                    inside.append(((path, key), iter(_entries(item))))
                    break  # the rest comes when that is done
            else:
                inside.pop()
                if len(inside) == 1:  # what two attributes share is found in each of them
                    entered.clear()

    def parameters(self) -> list[Value]:
        """All parameters in order; one that is used in several places counts once."""
        found: dict[Value, None] = {}
        made: list[tuple[_Path, Value]] = []
        for path, part in self._found():
            if isinstance(part, Module):
                found.update(dict.fromkeys(part.parameters()))
            elif part.op:
                made.append((path, part))
            else:
                found[part] = None
        for path, value in made:
            if not _leads_to(value, found):
                raise ValueError(
                    f"{type(self).__name__}.{_spelled(path)} is no parameter, since an operation "
                    f"made it ({value.op}): write Value(0.5 * 0.1), not Value(0.5) * 0.1, or "
                    ".detach() for a constant"
                )
        return list(found)

    def named_parameters(self) -> list[tuple[str, Value]]:
        """`parameters()`, each with the attributes, keys and positions that lead to it.

        Two parameters with one name, as by a dict with the keys 1 and "1", raise ValueError.

        >>> from micrograd_like.nn import MLP
        >>> MLP(1, [2]).named_parameters()[-1]
        ('layers.0.neurons.1.b', Value(data=0.0, grad=0.0))
        """
        names: dict[Value, str] = {}
        for path, part in self._attributes():
            if isinstance(part, Module):
                for name, parameter in part.named_parameters():
                    names.setdefault(parameter, f"{path}.{name}")
            else:
                names.setdefault(part, path)
        named: dict[str, Value] = {}
        for i, parameter in enumerate(self.parameters()):
            name = names.get(parameter, f"parameters.{i}")
            if named.setdefault(name, parameter) is not parameter:
                raise ValueError(f"two parameters are called {name!r}: rename an attribute or key")
        return list(named.items())

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0; `backward` adds to what is there."""
        for parameter in self.parameters():
            parameter.grad = 0.0

    def state_dict(self) -> dict[str, float]:
        """The number of every parameter by its name."""
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set every parameter to its number in `state`; if anything does not fit, set none.

        Raises ValueError that says what is missing and what is unknown, TypeError that says what
        is no number. Infinities and nan are numbers: what `state_dict` gave is always taken back.

        >>> from micrograd_like.nn import Neuron
        >>> Neuron(2).load_state_dict({"w.0": 1.0, "w.1": 2.0, "c": 3.0})
        Traceback (most recent call last):
        ValueError: the state does not fit: missing b; unknown c
        """
        if not isinstance(state, Mapping):
            raise TypeError(
                f"a state is a dict of numbers by name, got {type(state).__name__}: {state!r:.80}"
            )
        named = dict(self.named_parameters())
        unfit = []
        if missing := [name for name in named if name not in state]:
            unfit.append(f"missing {listed(missing)}")
        if unknown := [str(name) for name in state if name not in named]:
            unfit.append(f"unknown {listed(unknown)}")
        if unfit:
            raise ValueError(f"the state does not fit: {'; '.join(unfit)}")
        numbers = [number(name, state[name]) for name in named]
        for parameter, data in zip(named.values(), numbers, strict=True):
            parameter.data = data

    def summary(self) -> Text:
        """A table of the layers: shape, activation, number of parameters.

        The total counts a parameter that is used in several layers once. It shows as lines at the
        REPL, and as a table in a notebook.
        """
        heading = ("layer", "shape", "activation", "parameters")
        found = [*self._summary_rows(""), ("total", "", "", str(len(self.parameters())))]
        rows = [(one_line(path), *rest) for path, *rest in found]
        lines = aligned([heading, *rows], "<  <  <  >")
        return Text("\n".join(lines), html_table(rows, heading))

    def _summary_rows(self, prefix: str) -> Iterator[tuple[str, str, str, str]]:
        alone: dict[str, int] = {}
        for path, part in self._attributes():
            if isinstance(part, Module):
                yield from part._summary_rows(f"{prefix}{path}.")
            else:
                attribute = prefix + path.partition(".")[0]
                alone[attribute] = alone.get(attribute, 0) + 1
        for attribute, count in alone.items():
            yield attribute, "", "", str(count)


Activation = str | Op | Callable[[Any], Any]
Init = str | Callable[[int, int, Any], float]


def _linear(z: Any) -> Any:
    return z


# What most attributes are that hold nothing: asking what else they might be takes long.
_PLAIN = {str, int, float, bool, type(None), type(_linear), type(Operators.relu)}


_ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = {
    "linear": _linear,
    **{
        name: getattr(Operators, name)
        for name in ("relu", "tanh", "sigmoid", "softplus", "sin", "exp")
    },
    **{function.__name__: function for function in (leaky_relu, elu, gelu, silu)},
}
_INITS: Mapping[str, Callable[[int, int, Any], float]] = {
    "uniform": lambda nin, nout, rng: rng.uniform(-1, 1),
    "glorot": lambda nin, nout, rng: rng.uniform(-1, 1) * (6 / (nin + nout)) ** 0.5,
    "he": lambda nin, nout, rng: rng.gauss(0, (2 / nin) ** 0.5),
}


def _choose(what: str, choice: Any, table: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    if callable(choice):
        return choice  # type: ignore[no-any-return]
    if isinstance(choice, str) and choice in table:
        return table[choice]
    kind = ValueError if isinstance(choice, str) else TypeError
    raise kind(f"unknown {what} {choice!r:.80}: give a function or one of {', '.join(table)}")


def _activation(choice: Any, what: str = "activation") -> Callable[..., Any]:
    op = OPS.get(choice) if isinstance(choice, str) and choice not in _ACTIVATIONS else None
    if op and len(op.partials) == 1:
        return op
    return _choose(what, choice, _ACTIVATIONS)


def _name(activation: Activation) -> str:
    if isinstance(activation, str):
        return activation
    named = getattr(activation, "name", None) or getattr(activation, "__name__", None)
    return str(named or type(activation).__name__)


class _Example(tuple[Any, ...]):
    """The inputs of one example, checked once for all the neurons of a layer."""

    __slots__ = ()


def _example(x: Any) -> _Example:
    if isinstance(x, _Example):
        return x
    try:
        if isinstance(x, NO_SEQUENCE):
            raise TypeError(f"{type(x).__name__} is no sequence of numbers: {x!r:.80}")
        # Lists first: asking an abstract class takes longer.
        several = isinstance(x, (list, tuple))
        alone = not several and (isinstance(x, (Operators, Real)) or is_truth(x))
        row = [x] if alone else x
        return _Example([xi if isinstance(xi, Operators) else real(xi) for xi in row])
    except TypeError as error:
        raise TypeError(f"a model takes the inputs of one example at a time: {error}") from None


class Neuron(Module):
    """activation(b + w₀·x₀ + w₁·x₁ + …), for `nin` inputs.

    - `nonlin=False` is micrograd's way to say `activation="linear"`.
    - `activation`: linear, relu, leaky_relu, elu, gelu, silu, tanh, sigmoid, softplus, the name of
      any other operation of one operand, a registered one too, or a function of the sum; a Module
      is one too, and its parameters are found.
    - `init`: how each weight starts; the bias starts at 0. "uniform" draws from [−1, 1], "glorot"
      from ±√(6/(nin + nout)) (Glorot and Bengio 2010, equation 16), "he" from the normal
      distribution with variance 2/nin (He et al. 2015, equation 10); or a function, called as
      init(nin, nout, rng) for each weight.
    - `bias=False` leaves the bias out; `b` is None then.
    - `rng`: a `random.Random`; None means the module `random`.
    - `nout`: how many neurons the layer has, which "glorot" asks for.

    A wrong size, name or number of inputs raises ValueError, a wrong type TypeError.

    >>> neuron = Neuron(2, activation="tanh")
    >>> neuron.load_state_dict({"w.0": 1.0, "w.1": -1.0, "b": 0.5})
    >>> neuron([0.5, 1.0])
    Value(data=0.0, grad=0.0)
    """

    def __init__(
        self,
        nin: int,
        nonlin: bool = True,
        *,
        activation: Activation = "relu",
        bias: bool = True,
        init: Init = "uniform",
        rng: random.Random | None = None,
        nout: int = 1,
    ) -> None:
        nin, nout = whole("nin", nin, 1), whole("nout", nout, 1)
        if nonlin not in (True, False):
            raise ValueError(f"nonlin is True or False, got {nonlin!r:.80}")
        _activation(activation)  # all is checked before a number is drawn
        with_bias = switch("bias", bias)
        start, source = _choose("init", init, _INITS), generator(rng)
        self.w = [Value(start(nin, nout, source)) for _ in range(nin)]
        self.b: Value = Value(0.0) if with_bias else None  # type: ignore[assignment]
        self.activation = activation if nonlin else "linear"

    @property
    def activation(self) -> Activation:
        """The name or the function; assignable."""
        return self._activation

    @activation.setter
    def activation(self, activation: Activation) -> None:
        function = _activation(activation)
        self._activation, self._activate = activation, function

    @property
    def nonlin(self) -> bool:
        """True if there is an activation: micrograd's name for that. Assigned True, it is relu."""
        return self.activation != "linear"

    @nonlin.setter
    def nonlin(self, nonlin: bool) -> None:
        if bool(nonlin) != self.nonlin:
            self.activation = "relu" if nonlin else "linear"

    def __call__(self, x: Any) -> Any:
        """The output for one example: `nin` numbers or Values, also a bare one where nin is 1."""
        row = x if type(x) is _Example else _example(x)
        w = self.w
        if len(row) != len(w):
            raise ValueError(f"expected {len(w)} input(s), got {len(row)}: {x!r:.80}")
        # Left to right from the bias, as micrograd adds, so that the last digits agree.
        terms, start = map(mul, w, row), self.b
        out = self._activate(sum(terms, next(terms) if start is None else start))
        if type(out) is not Value and not isinstance(out, Operators) and isinstance(out, Real):
            raise cut(f"the activation {_name(self.activation)}", self.activation, out)
        return out

    def __repr__(self) -> str:
        name = _name(self.activation)
        if name in _ACTIVATIONS:
            name = "ReLU" if name == "relu" else name.capitalize()
        return f"{name}Neuron({len(self.w)})"

    def _summary_rows(self, prefix: str) -> Iterator[tuple[str, str, str, str]]:
        path = prefix.rstrip(".") or type(self).__name__
        yield path, f"{len(self.w)} → 1", _name(self.activation), str(len(self.parameters()))


class Layer(Module):
    """`nout` neurons that see the same `nin` inputs; the keywords are those of `Neuron`.

    >>> layer = Layer(2, 3, activation="tanh")
    >>> len(layer([1.0, 2.0])), len(layer.parameters())
    (3, 9)
    """

    def __init__(
        self,
        nin: int,
        nout: int,
        nonlin: bool = True,
        *,
        activation: Activation = "relu",
        bias: bool = True,
        init: Init = "uniform",
        rng: random.Random | None = None,
    ) -> None:
        self.neurons = [
            Neuron(nin, nonlin, activation=activation, bias=bias, init=init, rng=rng, nout=nout)
            for _ in range(whole("nout", nout, 1))
        ]

    def __call__(self, x: Any) -> Any:
        """The neurons' outputs for one example as a list; a bare one where nout is 1."""
        row = _example(x)
        out = [neuron(row) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(repr, self.neurons))}]"

    def _summary_rows(self, prefix: str) -> Iterator[tuple[str, str, str, str]]:
        path = prefix.rstrip(".") or type(self).__name__
        shape = f"{len(self.neurons[0].w)} → {len(self.neurons)}"
        activations = dict.fromkeys(_name(neuron.activation) for neuron in self.neurons)
        yield path, shape, ", ".join(activations), str(len(self.parameters()))


class MLP(Module):
    """A multi-layer perceptron: `nin` inputs, then one layer for each size in `nouts`.

    The last layer has the activation `output`, the others `activation`; or `activation` is a list
    with one for each layer, the last included, and `output` is left out. `bias`, `init` and `rng`
    are those of `Neuron`.

    >>> MLP(2, [2, 1], output="sigmoid")
    MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)], Layer of [SigmoidNeuron(2)]]
    """

    def __init__(
        self,
        nin: int,
        nouts: Iterable[int],
        *,
        activation: Activation | Sequence[Activation] = "relu",
        output: Activation | None = None,
        bias: bool = True,
        init: Init = "uniform",
        rng: random.Random | None = None,
    ) -> None:
        if not isinstance(nouts, Iterable):
            raise TypeError(f"nouts is a list of layer sizes such as [16, 1], got {nouts!r:.80}")
        sizes = [whole("nin", nin, 1), *(whole("a layer's size", nout, 1) for nout in nouts)]
        if len(sizes) == 1:
            raise ValueError(f"nouts needs the size of at least one layer, got {nouts!r:.80}")
        if isinstance(activation, (list, tuple)):
            activations = list(activation)
            if len(activations) != len(sizes) - 1:
                raise ValueError(
                    f"activation has one for each of {len(sizes) - 1} layer(s), got "
                    f"{len(activations)}: {activation!r:.80}"
                )
            if output is not None:
                raise ValueError(f"output={output!r:.80} is the last one of a list of activations")
            for choice in activations:
                _activation(choice)
        else:
            last = "linear" if output is None else output
            _activation(activation)
            _activation(last, "output")
            activations = [activation] * (len(sizes) - 2) + [last]
        self.layers = [
            Layer(fan_in, fan_out, activation=name, bias=bias, init=init, rng=rng)
            for (fan_in, fan_out), name in zip(pairwise(sizes), activations, strict=True)
        ]

    def __call__(self, x: Any) -> Any:
        """The last layer's output for one example: a list of Values, a bare one for one unit."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(repr, self.layers))}]"
