"""What pytest loads on a copy: it must be the copy that is tested; the first failure is noted."""

from __future__ import annotations

from pathlib import Path

import pytest

import micrograd_like

FIRST_FAILURE = "first_failure.txt"


class _Failure:
    def __init__(self, file: Path) -> None:
        self.file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.when == "call" and not self.file.exists():
            self.file.write_text(report.nodeid, encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    tested = Path(micrograd_like.__file__).resolve().parents[1]
    if tested != config.rootpath.resolve() or micrograd_like.BACKEND != "interpreted":
        raise pytest.UsageError(f"the {micrograd_like.BACKEND} engine of {tested} would be tested")
    config.pluginmanager.register(_Failure(config.rootpath / FIRST_FAILURE))
