"""The backend "llvm": a tape as machine code for the host."""

from micrograd_like.programs.llvm.operations import knows
from micrograd_like.programs.llvm.runner import LlvmRunner

__all__ = ["LlvmRunner", "knows"]
