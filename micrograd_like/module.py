"""What every network has: parameters with names, a state to save and load, a summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from micrograd_like.checks import number
from micrograd_like.engine import Value

Part = tuple[str, "Value | Module"]
"""A parameter or a Module, and the path that leads to it."""


def _parts(path: str, item: object) -> Iterator[Part]:
    todo = [(path, item)]
    while todo:
        path, item = todo.pop()
        if isinstance(item, Value):
            if not item.op:
                yield path, item
        elif isinstance(item, Module):
            yield path, item
        elif isinstance(item, (list, tuple, dict)):
            inner = item.items() if isinstance(item, dict) else enumerate(item)
            todo += reversed([(f"{path}.{key}", entry) for key, entry in inner])


class Module:
    """What has parameters: they are found in the attributes.

    A parameter is a leaf Value; Modules, lists, tuples and dicts are searched, in the order in
    which the attributes were set. A Value made by an operation is a result and no parameter. A
    subclass with other parameters defines `parameters` itself.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...     def __call__(self, x):
    ...         return self.slope * x + self.offset
    >>> Line().state_dict()
    {'slope': 2.0, 'offset': 1.0}
    """

    def _attributes(self) -> Iterator[Part]:
        for name, attribute in vars(self).items():
            yield from _parts(name, attribute)

    def parameters(self) -> list[Value]:
        """All parameters in order; one that is used in several places counts once."""
        found: dict[Value, None] = {}
        for _, part in self._attributes():
            if isinstance(part, Module):
                found.update(dict.fromkeys(part.parameters()))
            else:
                found[part] = None
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
            unfit.append(f"missing {_listed(missing)}")
        if unknown := [str(name) for name in state if name not in named]:
            unfit.append(f"unknown {_listed(unknown)}")
        if unfit:
            raise ValueError(f"the state does not fit: {'; '.join(unfit)}")
        numbers = [number(name, state[name]) for name in named]
        for parameter, data in zip(named.values(), numbers, strict=True):
            parameter.data = data

    def summary(self) -> str:
        """A table of the layers: shape, activation, number of parameters.

        The total counts a parameter that is used in several layers once.
        """
        rows = [
            ("layer", "shape", "activation", "parameters"),
            *self._summary_rows(""),
            ("total", "", "", str(len(self.parameters()))),
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            f"{path:{widths[0]}}  {shape:{widths[1]}}  {activation:{widths[2]}}  {n:>{widths[3]}}"
            for path, shape, activation, n in rows
        )

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


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
