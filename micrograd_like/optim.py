"""Optimisers: how one step changes parameters, given their gradients.

The rules are those of PyTorch's documentation (torch.optim.SGD, Adam, AdamW, RMSprop). Each is
written once, with + − · / and ** alone, and so serves one parameter, as floats, all of them at
once, as numpy arrays, and, read on Values, machine code that runs many steps at a time: `update`.

>>> from micrograd_like import Value
>>> w = Value(3.0)
>>> optimizer = SGD([w], lr=0.25)
>>> for _ in range(2):
...     optimizer.zero_grad()
...     ((w - 1) * (w - 1)).backward()
...     optimizer.step()
>>> w.data
1.5
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import partial
from itertools import groupby
from typing import Any, ClassVar, Self

from micrograd_like._internal.arguments import number
from micrograd_like.engine import Value
from micrograd_like.nn import Module
from micrograd_like.operation import IeeeFloat

Rate = float | Callable[[int], float]
Rule = Callable[..., tuple[Any, ...]]
Params = Iterable[Value | Mapping[str, Any]]


def _number(name: str, x: Any, below: float = math.inf) -> float:
    found = number(name, x)
    if not 0.0 <= found < below:
        limit = "finite" if below == math.inf else f"below {below:g}"
        raise ValueError(f"{name} is at least 0 and {limit}, got {x!r:.80}")
    return found


def _groups(params: Any) -> tuple[Any, list[dict[str, Any]]]:
    """Parameters one after the other, and the groups in which they were given, if they were."""
    if isinstance(params, (Module, Mapping)) or not isinstance(params, Iterable):
        return params, []
    listed = list(params)
    if not any(isinstance(entry, Mapping) for entry in listed):
        return listed, []
    groups: list[dict[str, Any]] = []
    for i, entry in enumerate(listed):
        if not isinstance(entry, Mapping) or "params" not in entry:
            raise TypeError(
                f"params at position {i}: a group is a dict with params and what differs for them, "
                f"got {type(entry).__name__}: {entry!r:.80}"
            )
        own = entry["params"]
        if isinstance(own, Module) or not isinstance(own, (Iterable, Value)):
            _parameters(own)  # which says what is wrong with it
        groups.append({**entry, "params": (own,) if isinstance(own, Value) else tuple(own)})
    return [parameter for group in groups for parameter in group["params"]], groups


def _parameters(params: Any) -> list[Value]:
    if isinstance(params, Module):
        raise TypeError("params is a list of Values, got a model: write model.parameters()")
    if not isinstance(params, Iterable):
        raise TypeError(f"params is a list of Values, got {type(params).__name__}: {params!r:.80}")
    parameters = list(params)
    if not parameters:
        raise ValueError("params is empty: there is nothing to optimise")
    first: dict[Value, int] = {}
    for i, parameter in enumerate(parameters):
        if not isinstance(parameter, Value):
            raise TypeError(
                f"params is a list of Values, got {type(parameter).__name__} at position {i}: "
                f"{parameter!r:.80}"
            )
        if parameter.op:
            raise ValueError(
                f"params at position {i}: {parameter!r} was made by {parameter.op}, and only a "
                "leaf can be changed"
            )
        if first.setdefault(parameter, i) != i:
            raise ValueError(
                f"params has {parameter!r} twice, at positions {first[parameter]} and {i}"
            )
    return parameters


class Optimizer:
    """The base of the optimisers; a subclass names its buffers and defines `update`.

    - `params`: the parameters, in order. They are given as Values; or as groups, dicts with
      `params` and the settings in which these differ, such as `lr`.
    - `groups`: a tuple of those dicts, their settings assignable. Parameters that are added to
      `params` later are in none.
    - `lr`: the learning rate, a number or a function of the step number 0, 1, 2, …; assignable.
    - `steps`: how many steps have been taken.
    - `number_names`: what a table of a step calls the numbers that `update` takes.
    - `buffers`: for each of `buffer_names` one number per parameter, 0 at the start; those that
      are also `not_negative` hold means of squares.

    >>> w, b = Value(1.0), Value(0.0)
    >>> groups = [{"params": [w], "weight_decay": 0.5}, {"params": [b], "lr": 0.01}]
    >>> optimizer = SGD(groups, lr=0.1)  # for b 0.01; only w decays
    >>> optimizer.step()
    >>> w.data, b.data
    (0.95, 0.0)
    """

    number_names: ClassVar[tuple[str, ...]] = ("lr",)
    buffer_names: ClassVar[tuple[str, ...]] = ()
    not_negative: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Params, lr: Rate, *settings: str) -> None:
        """`settings` names the attributes, set before, in which groups may differ beside `lr`."""
        listed, groups = _groups(params)
        self.params = _parameters(listed)
        self.lr = lr
        self._check()
        self.steps = 0
        self.buffers = [[0.0] * len(self.params) for _ in self.buffer_names]
        self._buffered = list(self.params)  # those that the buffers are of, in their order
        self._settings = ("lr", *settings)
        self._groups = tuple(groups)
        for place, group in enumerate(groups):
            own = self._of_group(place)
            group.update({name: getattr(own, name) for name in group if name != "params"})

    @property
    def groups(self) -> tuple[dict[str, Any], ...]:
        """The groups as they were given, with their settings."""
        return self._groups

    def _check(self) -> None:
        """Raise ValueError or TypeError where a setting is none, and store numbers as floats."""
        if not callable(self.lr):
            self.learning_rate(0)

    def _of_group(self, place: int) -> Self:
        """An optimiser with the settings of the group at this place, which are checked."""
        differs = {name: x for name, x in self.groups[place].items() if name != "params"}
        if unknown := [name for name in differs if name not in self._settings]:
            raise ValueError(
                f"params at position {place}: {type(self).__name__} has no setting "
                f"{unknown[0]!r:.80}: a group has params and any of {', '.join(self._settings)}"
            )
        own = copy(self)
        vars(own).update(differs)
        try:
            own._check()
        except (ValueError, TypeError) as error:
            raise type(error)(f"params at position {place}: {error}") from None
        return own

    def parts(self) -> list[tuple[Self, slice]]:
        """The parts of `params` that go by the same settings: an optimiser with these, and places.

        An optimiser without groups is one part.
        """
        if not self.groups:
            return [(self, slice(0, len(self.params)))]
        of = {parameter: i for i, group in enumerate(self.groups) for parameter in group["params"]}
        own = [self._of_group(place) for place in range(len(self.groups))]
        found, start = [], 0
        for i, run in groupby(self.params, lambda parameter: of.get(parameter, -1)):
            end = start + len(list(run))
            found.append((self if i < 0 else own[i], slice(start, end)))
            start = end
        return found

    def learning_rate(self, step: int) -> float:
        """The learning rate of the step with this number, counted from 0.

        ValueError if it is negative or not finite, TypeError if it is no number.
        """
        if callable(self.lr):
            return _number(f"lr at step {step}", self.lr(step))
        return _number("lr", self.lr)

    def numbers(self, step: int) -> tuple[float, ...]:
        """The numbers of a step, which an update takes: the learning rate.

        They depend on `step` and the settings alone: of each group a copy is asked.
        """
        return (self.learning_rate(step),)

    def update(self, numbers: tuple[Any, ...], p: Any, g: Any, *buffers: Any) -> tuple[Any, ...]:
        """A parameter and its entry in each of `buffers` after a step with these `numbers`.

        `p` is the parameter and `g` its gradient: floats, arrays or Values alike. Nothing changes.
        """
        raise NotImplementedError

    def legend(self) -> str:
        """A line on what the buffers are, for a table of a step; "" if there is nothing to say."""
        return ""

    def rule(self, step: int) -> Rule:
        """The `update` of the step with this number, as a function of the other arguments.

        It is that of parameters in no group; `parts` have those of groups.
        """
        return partial(self.update, self.numbers(step))

    def step(self) -> None:
        """Change every parameter by the rule, from its `grad`; if anything raises, none."""
        self.follow_params()
        before = [parameter.data for parameter in self.params]
        gradient = [parameter.grad for parameter in self.params]
        rows = list(zip(before, gradient, *self.buffers, strict=True))
        for part, places in self.parts():
            rule = part.rule(self.steps)
            rows[places] = [_by_ieee(rule, row) for row in rows[places]]
        after, *buffers = map(list, zip(*rows, strict=True))
        kept = self.buffers, self.steps
        try:
            for parameter, number in zip(self.params, after, strict=True):
                parameter.data = number
            self.buffers, self.steps = buffers, self.steps + 1
        except BaseException:  # Ctrl-C, say
            for parameter, number in zip(self.params, before, strict=True):
                parameter.data = number
            self.buffers, self.steps = kept
            raise

    def follow_params(self) -> None:
        """Let every parameter keep what the buffers hold of it, wherever it now is in `params`.

        Those that are new there start at 0, and those that are gone are forgotten.
        """
        if self.params == self._buffered:
            return
        places = {parameter: i for i, parameter in enumerate(self._buffered)}
        kept = [places.get(parameter) for parameter in self.params]
        self.buffers = [[0.0 if i is None else buffer[i] for i in kept] for buffer in self.buffers]
        self._buffered = list(self.params)

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0; `backward` adds to what is there."""
        for parameter in self.params:
            parameter.grad = 0.0

    def state_dict(self) -> dict[str, Any]:
        """The state that a later run needs, beside the parameters, to go on as if without a break.

        The name of the rule, the number of steps, and each buffer as a list of floats; where there
        are groups, how many parameters each has. `lr` and the like, groups among them, are given
        to the new optimiser as they were to this one.

        >>> SGD([Value(1.0)], lr=0.1).state_dict()
        {'optimizer': 'SGD', 'steps': 0, 'momentum_buffer': [0.0]}
        """
        self.follow_params()
        buffers = {
            name: [float(x) for x in buffer]
            for name, buffer in zip(self.buffer_names, self.buffers, strict=True)
        }
        groups = {"groups": self._sizes()} if self.groups else {}
        return {"optimizer": type(self).__name__, "steps": self.steps, **groups, **buffers}

    def _sizes(self) -> list[int]:
        return [len(group["params"]) for group in self.groups]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave; a state that does not fit raises and changes nothing.

        ValueError for another rule, other names, groups or lengths, and what is too large for a
        float, TypeError for anything but numbers.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"a state is a dict, got {type(state).__name__}: {state!r:.80}")
        sizes, given = self._sizes(), state.get("groups", [])
        if given != sizes:
            raise ValueError(
                f"the state is of groups of {given!r:.80} parameters, and this optimizer has "
                f"groups of {sizes!r:.80}: give it the same ones in the same order"
            )
        names = ["optimizer", "steps", *(["groups"] if sizes else []), *self.buffer_names]
        if set(state) != set(names):
            raise ValueError(f"the state has {', '.join(names)}, got {', '.join(map(str, state))}")
        if state["optimizer"] != type(self).__name__:
            raise ValueError(
                f"the state of {state['optimizer']!r:.80} does not fit {type(self).__name__}"
            )
        steps = state["steps"]
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
            raise ValueError(f"steps is a whole number from 0, got {steps!r:.80}")
        number("steps", steps)
        buffers = []
        for name in self.buffer_names:
            if not isinstance(state[name], (list, tuple)):
                raise TypeError(f"{name} is a list of numbers, got {state[name]!r:.80}")
            buffer = [number(name, x) for x in state[name]]
            if len(buffer) != len(self.params):
                raise ValueError(
                    f"{name} has {len(buffer)} number(s) for {len(self.params)} parameter(s)"
                )
            if name in self.not_negative and any(x < 0.0 for x in buffer):
                raise ValueError(f"{name} holds no number below 0, got {min(buffer)}")
            buffers.append(buffer)
        self.buffers, self.steps, self._buffered = buffers, steps, list(self.params)


def _by_ieee(rule: Rule, row: tuple[float, ...]) -> tuple[float, ...]:
    try:
        return rule(*row)
    except ArithmeticError:  # a division by 0, which Adam with eps=0 makes of a gradient of 0
        return tuple(map(float, rule(*map(IeeeFloat, row))))


class SGD(Optimizer):
    """Gradient descent: p ← p − lr · g.

    With `weight_decay` λ, g is the gradient + λ p. With `momentum` μ a buffer b ← μ b + g takes
    the place of g, and with `nesterov` g + μ b does.

    A negative or infinite number, `nesterov` without momentum, and parameters that are none, no
    leaves or named twice raise ValueError, wrong types TypeError.

    >>> halving = SGD([Value(1.0)], lr=lambda step: 0.1 * 0.5**step)
    >>> halving.learning_rate(2)
    0.025
    """

    buffer_names = ("momentum_buffer",)

    def __init__(
        self,
        params: Params,
        lr: Rate,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.momentum, self.nesterov, self.weight_decay = momentum, nesterov, weight_decay
        super().__init__(params, lr, "momentum", "nesterov", "weight_decay")

    def _check(self) -> None:
        super()._check()
        self.momentum = _number("momentum", self.momentum)
        self.weight_decay = _number("weight_decay", self.weight_decay)
        self.nesterov = bool(self.nesterov)
        if self.nesterov and not self.momentum:
            raise ValueError(
                f"nesterov=True needs a momentum above 0, got momentum={self.momentum!r}"
            )

    def legend(self) -> str:
        """See `Optimizer.legend`."""
        return f"momentum_buffer adds up gradients, fading by {self.momentum:g} a step; from 0"

    def update(self, numbers: tuple[Any, ...], p: Any, g: Any, *buffers: Any) -> tuple[Any, ...]:
        """See `Optimizer.update`; the buffer is left alone without momentum."""
        (lr,), (b,), momentum = numbers, buffers, self.momentum
        if self.weight_decay:
            g = g + self.weight_decay * p
        if momentum:
            b = momentum * b + g
            g = g + momentum * b if self.nesterov else b
        return p - lr * g, b


class Adam(Optimizer):
    """Descent scaled by running means m of the gradient and v of its square (Kingma and Ba 2015).

    In step t, from 1: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², both divided by 1 − βᵗ so
    that they start without bias, and p ← p − lr · m̂ / (√v̂ + eps). With `weight_decay` λ, g is the
    gradient + λ p. The buffers have PyTorch's names: `exp_avg` is m, `exp_avg_sq` is v.

    A beta outside [0, 1) and another number that is negative or infinite raise ValueError; so do
    parameters that are none, no leaves or named twice; wrong types raise TypeError.

    >>> w = Value(1.0)
    >>> w.grad = 123.0
    >>> Adam([w], lr=0.25, eps=0.0).step()  # the first step has the length lr
    >>> w.data
    0.75
    """

    number_names = ("lr", "lr/(1 − β₁ᵗ)", "√(1 − β₂ᵗ)")
    buffer_names = ("exp_avg", "exp_avg_sq")
    not_negative = ("exp_avg_sq",)

    def __init__(
        self,
        params: Params,
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
        super().__init__(params, lr, "betas", "eps", "weight_decay")

    def _check(self) -> None:
        super()._check()
        if not isinstance(self.betas, (tuple, list)) or len(self.betas) != 2:
            raise TypeError(f"betas is a pair of numbers, got {self.betas!r:.80}")
        beta1, beta2 = self.betas
        self.betas = (_number("betas[0]", beta1, below=1.0), _number("betas[1]", beta2, below=1.0))
        self.eps = _number("eps", self.eps)
        self.weight_decay = _number("weight_decay", self.weight_decay)

    def numbers(self, step: int) -> tuple[float, ...]:
        """The learning rate, that over 1 − β₁ᵗ, and √(1 − β₂ᵗ)."""
        lr, (beta1, beta2) = self.learning_rate(step), self.betas
        return lr, lr / (1.0 - beta1 ** (step + 1)), (1.0 - beta2 ** (step + 1)) ** 0.5

    def legend(self) -> str:
        """See `Optimizer.legend`."""
        beta1, beta2 = self.betas
        return (
            f"exp_avg is a running mean of gradients (β₁ = {beta1:g}), exp_avg_sq one of their "
            f"squares (β₂ = {beta2:g}); both start at 0, for which 1 − βᵗ makes up; while "
            "its gradient stays the same, a parameter moves by lr, whatever the gradient's size"
        )

    def _decayed(self, p: Any, g: Any, lr: Any) -> tuple[Any, Any]:
        return p, g + self.weight_decay * p

    def update(self, numbers: tuple[Any, ...], p: Any, g: Any, *buffers: Any) -> tuple[Any, ...]:
        """See `Optimizer.update`; the buffers are m and v."""
        (lr, size, bias), (m, v), (beta1, beta2) = numbers, buffers, self.betas
        if self.weight_decay:
            p, g = self._decayed(p, g, lr)
        m = beta1 * m + (1.0 - beta1) * g
        v = beta2 * v + (1.0 - beta2) * g * g
        return p - size * m / (v**0.5 / bias + self.eps), m, v


class AdamW(Adam):
    """Adam with its weight decay apart from the gradient: p ← p − lr · λ p, then Adam's step.

    From Loshchilov and Hutter 2019; the arguments are those of `Adam`, with PyTorch's default λ.
    """

    def __init__(
        self,
        params: Params,
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def _decayed(self, p: Any, g: Any, lr: Any) -> tuple[Any, Any]:
        return p * (1.0 - lr * self.weight_decay), g


class RMSprop(Optimizer):
    """Descent scaled by a running mean v of the gradient's square (Tieleman and Hinton 2012).

    v ← α v + (1 − α) g², and p ← p − lr · g / (√v + eps).

    An `alpha` outside [0, 1) and another number that is negative or infinite raise ValueError; so
    do parameters that are none, no leaves or named twice; wrong types raise TypeError.

    >>> w = Value(1.0)
    >>> w.grad = -8.0
    >>> RMSprop([w], lr=0.25, alpha=0.75, eps=0.0).step()  # −8 / √(0.25 · 64) is −2
    >>> w.data
    1.5
    """

    buffer_names = ("square_avg",)
    not_negative = ("square_avg",)

    def __init__(
        self, params: Params, lr: Rate = 0.01, alpha: float = 0.99, eps: float = 1e-8
    ) -> None:
        self.alpha, self.eps = alpha, eps
        super().__init__(params, lr, "alpha", "eps")

    def _check(self) -> None:
        super()._check()
        self.alpha = _number("alpha", self.alpha, below=1.0)
        self.eps = _number("eps", self.eps)

    def legend(self) -> str:
        """See `Optimizer.legend`."""
        return f"square_avg is a running mean of squared gradients (α = {self.alpha:g}); from 0"

    def update(self, numbers: tuple[Any, ...], p: Any, g: Any, *buffers: Any) -> tuple[Any, ...]:
        """See `Optimizer.update`; the buffer is v."""
        (lr,), (v,) = numbers, buffers
        v = self.alpha * v + (1.0 - self.alpha) * g * g
        return p - lr * g / (v**0.5 + self.eps), v


def clip_grad_norm(params: Iterable[Value], max_norm: float) -> float:
    """Scale the gradients of `params` so that their norm is `max_norm` at most.

    The norm is the root of the sum of their squares. Returns the one that there was; gradients of
    a smaller one are left as they are. To be called between `backward` and `step`.

    Raises ValueError for a `max_norm` that is not above 0, and, with nothing changed, for a norm
    that is nan or inf.

    >>> a, b = Value(1.0), Value(2.0)
    >>> a.grad, b.grad = 3.0, -4.0
    >>> clip_grad_norm([a, b], 1.0), a.grad, b.grad
    (5.0, 0.6000000000000001, -0.8)
    """
    most = _number("max_norm", max_norm)
    if not most:
        raise ValueError(f"max_norm is above 0, got {max_norm!r:.80}")
    parameters = _parameters(params)
    norm = math.hypot(*[parameter.grad for parameter in parameters])
    if not math.isfinite(norm):
        raise ValueError(f"the norm of the gradients is {norm}, and no factor makes it {most}")
    if norm > most:
        for parameter in parameters:
            parameter.grad *= most / norm
    return norm
