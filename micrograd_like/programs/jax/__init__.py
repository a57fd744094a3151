"""The backend "jax": a tape as a JAX function, on whatever devices JAX sees."""

from micrograd_like.programs.jax.functions import knows
from micrograd_like.programs.jax.runner import JaxRunner

__all__ = ["JaxRunner", "knows"]
