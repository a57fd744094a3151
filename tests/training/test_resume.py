"""A training that is killed again and again comes to the bits of one that nobody disturbed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from micrograd_like import History, load_checkpoint
from tests.support.commands import environment
from tests.support.resumable import KINDS, STAGES, train
from tests.support.trainings import both_ways, numbers_of, without_seconds

both_kinds = pytest.mark.parametrize("kind", KINDS)


def start(folder: Path, compile: bool, kind: str, death: str = "") -> subprocess.Popen[str]:
    arguments = [str(folder / "c.json"), str(folder / "end.json"), str(int(compile)), kind, death]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.resumable", *arguments[: 5 if death else 4]],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        encoding="ascii",
    )


def state_of(model: Any, optimizer: Any, history: History, rng: Any) -> list[str]:
    """Everything but the seconds, as text, in which each number has all of its bits."""
    parts = [numbers_of(model), optimizer, without_seconds(history), history.stopped]
    return list(map(repr, [*parts, history.best, history.since, rng.getstate()]))


def assert_same_end(folder: Path, compile: bool, kind: str) -> None:
    model, optimizer, history, rng = train(compile, kind)
    assert history.stopped == ("patience" if "patience" in kind else "epochs")
    found = load_checkpoint(folder / "end.json")
    assert found.history is not None
    assert state_of(*found) == state_of(model, optimizer.state_dict(), history, rng)  # type: ignore[arg-type]


@both_ways
@both_kinds
def test_killed_at_random_moments(kind: str, compile: bool, tmp_path: Path) -> None:
    moments = random.Random(f"{compile}, {kind}")
    saved = 0
    for _ in range(3):
        death = f"{saved + 1 + moments.randrange(2)}:{moments.randrange(10_000)}"
        trainer = start(tmp_path, compile, kind, death)
        told = trainer.communicate()[0].split()
        assert trainer.returncode == -signal.SIGKILL, "it was over before it could be killed"
        assert int(told[0]) == saved + 1
        if (tmp_path / "c.json").exists():
            history = load_checkpoint(tmp_path / "c.json").history
            assert history is not None
            saved = len(history.rows)
        assert int(told[-1]) - 1 <= saved <= int(told[-1])
    assert start(tmp_path, compile, kind).communicate()[0]
    assert_same_end(tmp_path, compile, kind)


@both_ways
def test_killed_at_every_stage_of_a_save(compile: bool, tmp_path: Path) -> None:
    kind = "momentum, patience"
    for epoch, stage in enumerate(STAGES, 3):
        trainer = start(tmp_path, compile, kind, f"{epoch}:{stage}")
        printed = trainer.communicate()[0].split()
        assert (trainer.returncode, printed[-1]) == (-signal.SIGKILL, str(epoch))
        history = load_checkpoint(tmp_path / "c.json").history
        assert history is not None
        assert len(history.rows) == (epoch if stage == "after the move" else epoch - 1)
    trainer = start(tmp_path, compile, kind)
    assert trainer.communicate()[0].split()[0] == str(epoch + 1)
    assert_same_end(tmp_path, compile, kind)


@both_ways
@both_kinds
@pytest.mark.parametrize("stage", ["before the sync", "after the move"])
def test_killed_in_the_last_save(stage: str, kind: str, compile: bool, tmp_path: Path) -> None:
    """All that is left to do may be to stop, and to restore the best epoch."""
    last = len(train(compile, kind)[2].rows)
    start(tmp_path, compile, kind, f"{last}:{stage}").communicate()
    printed = start(tmp_path, compile, kind).communicate()[0].split()
    assert printed == ([] if stage == "after the move" else [str(last)])
    assert_same_end(tmp_path, compile, kind)
