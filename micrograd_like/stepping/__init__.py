"""Backprop one step at a time: `Stepper`, `explain`, and `debug`, a prompt at the terminal."""

from micrograd_like.stepping.explanation import explain
from micrograd_like.stepping.forward import forward_mode
from micrograd_like.stepping.prompt import debug
from micrograd_like.stepping.questions import Exercise, descend, exercise, nudge
from micrograd_like.stepping.stepper import ForwardStepper, Stepper
from micrograd_like.stepping.steps import Step

__all__ = [
    "Exercise",
    "ForwardStepper",
    "Step",
    "Stepper",
    "debug",
    "descend",
    "exercise",
    "explain",
    "forward_mode",
    "nudge",
]
