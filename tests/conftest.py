"""The set-up of every run of the tests: repeatable hypothesis, and a word on which engine ran.

MICROGRAD_LIKE_EXPECT_ENGINE=native (or pure) in the environment refuses to run on the
other one, so that a build which fell back is noticed.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

import micrograd_like

settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.load_profile("fixed")


def pytest_report_header() -> str:
    folder = Path(micrograd_like.__file__).parent
    return f"micrograd_like: {micrograd_like.ENGINE} engine, from {folder}"


def pytest_configure() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background, where Ctrl-C is ignored, by us and by every program of ours.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    expected = os.environ.get("MICROGRAD_LIKE_EXPECT_ENGINE", micrograd_like.ENGINE)
    if expected != micrograd_like.ENGINE:
        raise pytest.UsageError(
            f"MICROGRAD_LIKE_EXPECT_ENGINE is {expected!r}, but the {micrograd_like.ENGINE} "
            f"engine runs, from {Path(micrograd_like.__file__).parent}"
        )


CORE = {
    "engine": "edge_cases engine functions graph operation operators ops",
    "stepping": "explanation stepper steps tree",
}
"""What somebody who changes the engine runs all the time: it takes seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        names = CORE.get(item.path.parent.name, "").split()
        if item.path.stem.removeprefix("test_") in names and not item.get_closest_marker("long"):
            item.add_marker("core")
