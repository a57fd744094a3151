"""The backend "llvm": a tape as machine code for the host."""

from micrograd_like.programs.llvm.operations import SUPPORTED
from micrograd_like.programs.llvm.runner import LlvmRunner

__all__ = ["SUPPORTED", "LlvmRunner"]
