"""Backprop one step at a time: `Stepper`, `explain`, and `debug`, a prompt at the terminal."""

from micrograd_like.stepping.explanation import explain
from micrograd_like.stepping.prompt import debug
from micrograd_like.stepping.stepper import ForwardStepper, Stepper
from micrograd_like.stepping.steps import Step

__all__ = ["ForwardStepper", "Step", "Stepper", "debug", "explain"]
