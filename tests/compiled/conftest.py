"""Leaves out the tests of machine code where the extra `compiled` is not installed, and says so."""

from __future__ import annotations

from importlib.util import find_spec

_MISSING = [name for name in ("numpy", "llvmlite") if find_spec(name) is None]
collect_ignore = ["test_llvm.py", "test_vector_math.py"] if _MISSING else []


def pytest_report_header() -> str:
    missing = f"left out, since {' and '.join(_MISSING)} are not installed"
    return f"tests of machine code: {missing if _MISSING else 'included'}"
