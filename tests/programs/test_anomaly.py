"""`detect_anomaly` and compiled programs: the row and the operation are named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.anomalies import ASSERTIONS
from tests.support.trainings import needs_compiled


@pytest.mark.parametrize("backend", ["python", pytest.param("llvm", marks=needs_compiled)])
@pytest.mark.parametrize("check", ASSERTIONS, ids=lambda check: check.__name__)
def test_programs(check: Callable[[str], None], backend: str) -> None:
    check(backend)
