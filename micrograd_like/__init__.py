r"""A scalar autograd engine to read in one sitting, step through, draw, and train with.

Questions about backprop, and what answers them, for a root `L = a * b` and a leaf `a`:

================================================  ============================
the order of the steps, each with its numbers     print(*Stepper(L), sep="\n")
the same at a prompt, step by step                debug(L)
why a gradient is what it is, is negative, is 0   explain(a, L)
how the uses of one value add up, by +=           explain(a, L, paths=True)
what is left of a pass before, without zero_grad  explain(a, L)
the local derivative of an operation              print(ops.tanh)
the operations there are, with their derivatives  print(ops.table())
what really happens to L if a moves               nudge(a, L)
a.data was changed, and nothing follows           explain(a, L)
where a nan or an inf comes from                  explain(L, L)
what a step of gradient descent does              descend(L)
what a step of an optimiser does, of any          descend(L, optimizer)
a second derivative, and how it comes about       explain(x, grad(f)(x))
the second derivative alone                       grad(grad(f))(x)
forward mode, beside the backward pass            forward_mode(a, L)
a picture, and a page that computes               draw(L), explore(L)
a sheet of questions, the answers apart           exercise(L)
================================================  ============================

`Stepper`, `debug` and `descend` set the gradients back to 0 and start a pass of their own, the
others leave all as it is.
All of it is imported from here: from micrograd_like import Value, ops, explain.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from micrograd_like._internal import native

ENGINE = native.import_native(__name__, __path__)  # before anything imports their sources
"""The form of the engine that runs: "native" or "pure"."""

from micrograd_like import ops as ops
from micrograd_like.engine import Value
from micrograd_like.functions import (
    clip,
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    logsumexp,
    maximum,
    minimum,
    silu,
    softmax,
    xlogy,
)
from micrograd_like.operation import AnomalyError, Op, detect_anomaly, register, writing

if ENGINE == "pure":
    native.make_final(Value)

if TYPE_CHECKING:
    from micrograd_like.calculus import (
        GradcheckError,
        grad,
        gradcheck,
        hessian,
        hvp,
        jacobian,
        jvp,
        value_and_grad,
        vjp,
    )
    from micrograd_like.datasets import blobs, circles, digits, first_names, moons, spirals, xor
    from micrograd_like.losses import (
        binary_cross_entropy,
        binary_cross_entropy_with_logits,
        cross_entropy,
        hinge_loss,
        huber_loss,
        mae_loss,
        mse_loss,
    )
    from micrograd_like.nn import MLP, Layer, Module, Neuron
    from micrograd_like.optim import SGD, Adam, AdamW, RMSprop, clip_grad_norm
    from micrograd_like.programs import Program, compile
    from micrograd_like.render import Drawing, Player, draw, explore
    from micrograd_like.stepping import (
        Exercise,
        Step,
        Stepper,
        debug,
        descend,
        exercise,
        explain,
        forward_mode,
        nudge,
    )
    from micrograd_like.training import (
        Checkpoint,
        ConfusionTable,
        History,
        ModelFileError,
        confusion_table,
        fit,
        load,
        load_checkpoint,
        predict,
        save,
    )

# These are imported when they are first used, so that importing the package takes milliseconds.
_HOME = {
    name: module
    for module, names in {
        "calculus": "GradcheckError grad gradcheck hessian hvp jacobian jvp value_and_grad vjp",
        "programs": "Program compile",
        "datasets": "blobs circles digits first_names moons spirals xor",
        "losses": "binary_cross_entropy binary_cross_entropy_with_logits cross_entropy hinge_loss"
        " huber_loss mae_loss mse_loss",
        "nn": "MLP Layer Module Neuron",
        "optim": "SGD Adam AdamW RMSprop clip_grad_norm",
        "render": "Drawing Player draw explore",
        "stepping": "Exercise Step Stepper debug descend exercise explain forward_mode nudge",
        "training": "Checkpoint ConfusionTable History ModelFileError confusion_table fit load"
        " load_checkpoint predict save",
    }.items()
    for name in names.split()
}

__all__ = [
    "ENGINE",
    "MLP",
    "SGD",
    "Adam",
    "AdamW",
    "AnomalyError",
    "Checkpoint",
    "ConfusionTable",
    "Drawing",
    "Exercise",
    "GradcheckError",
    "History",
    "Layer",
    "ModelFileError",
    "Module",
    "Neuron",
    "Op",
    "Player",
    "Program",
    "RMSprop",
    "Step",
    "Stepper",
    "Value",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "blobs",
    "circles",
    "clip",
    "clip_grad_norm",
    "compile",
    "confusion_table",
    "cross_entropy",
    "debug",
    "descend",
    "detect_anomaly",
    "digits",
    "draw",
    "elu",
    "exercise",
    "explain",
    "explore",
    "first_names",
    "fit",
    "forward_mode",
    "gelu",
    "grad",
    "gradcheck",
    "hessian",
    "hinge_loss",
    "huber_loss",
    "hvp",
    "jacobian",
    "jvp",
    "leaky_relu",
    "load",
    "load_checkpoint",
    "log_softmax",
    "logsumexp",
    "mae_loss",
    "maximum",
    "minimum",
    "moons",
    "mse_loss",
    "nudge",
    "ops",
    "predict",
    "register",
    "save",
    "silu",
    "softmax",
    "spirals",
    "value_and_grad",
    "vjp",
    "xlogy",
    "xor",
]

writing.table = lambda rows: import_module(f"{__name__}.stepping.questions").operations(rows)
writing.text = lambda op: _formulas().describe(op)
writing.latex = lambda op: _formulas().latex(op)


def _formulas() -> Any:
    return import_module(f"{__name__}.stepping.formulas")


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
