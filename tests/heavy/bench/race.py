"""The parent of the workers: starts them, compares their numbers, asks each in turn for a time."""

from __future__ import annotations

import json
import math
import os
import signal
import statistics
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from tests.heavy.bench.registry import ALONE, RACES

TOLERANCE = 1e-9
ROUND_SECONDS = 0.02
"""A round of one peer: at least one step, and as many as fill this time."""

CHAIN_RUNS = 5


@dataclass
class Row:
    """The outcome of one peer: times in seconds, or named figures, or the reason for neither."""

    title: str
    times: list[float] = field(default_factory=list)
    figures: dict[str, list[float]] = field(default_factory=dict)
    difference: float | None = None
    note: str = ""
    failed: bool = False
    """It computed other numbers, raised or crashed; a peer that is not installed did not fail."""

    @property
    def median(self) -> float | None:
        return statistics.median(self.times) if self.times else None


class Worker:
    """A peer's process and the conversation with it."""

    def __init__(self, kind: str, work: str, key: str, pure: bool) -> None:
        environment = {
            name: text for name, text in os.environ.items() if name != "MICROGRAD_LIKE_PURE"
        }
        if pure:
            environment["MICROGRAD_LIKE_PURE"] = "1"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.heavy.bench.worker", kind, work, key],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()

    def answer(self) -> dict[str, Any]:
        """The next answer; one is made up for a process that died without giving it."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        code = self.process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return {"status": "failed", "why": f"crashed ({how})"}

    def seconds(self, at_least: float) -> dict[str, Any]:
        """A further round."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has died: the missing answer tells
            self.process.stdin.write(f"{at_least}\n")
            self.process.stdin.flush()
        return self.answer()


def difference(answer: dict[str, Any], reference: dict[str, Any]) -> float:
    """The largest difference of losses and numbers, relative above 1; inf where one is nan."""
    pairs = [
        (a, b)
        for kind in ("losses", "numbers")
        for a, b in zip(answer[kind], reference[kind], strict=True)
    ]
    differences = [abs(a - b) / max(1.0, abs(b)) for a, b in pairs]
    return math.inf if any(map(math.isnan, differences)) else max(differences)


def report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run_race(work: str, runs: int) -> dict[str, Row]:
    """One row for every entry of the race, in its order."""
    race = RACES[work]
    rows = {key: Row(entry.title) for key, entry in race.entries.items()}
    with ExitStack() as stack:
        reference: dict[str, Any] = {}
        ready: dict[str, Worker] = {}
        for key in sorted(rows, key=lambda key: key != race.reference):
            report(f"{work}: setting up {rows[key].title}")
            worker = stack.enter_context(Worker("race", work, key, race.entries[key].pure))
            answer = worker.answer()
            if answer["status"] != "ready":
                if key == race.reference:
                    raise SystemExit(
                        f"{work}: all others are compared with {rows[key].title}, "
                        f"which can't run: {answer['why']}"
                    )
                rows[key].note = answer["why"]
                rows[key].failed = answer["status"] == "failed"
                continue
            reference = reference or answer
            judge(rows[key], answer, reference)
            if key == race.reference != race.yardstick:
                rows[key].note = "for comparison of the numbers, not timed"
                worker.process.kill()
            elif not rows[key].failed:
                ready[key] = worker
        if len(ready) > 1:
            race_rounds(work, runs, ready, rows)
    return rows


def judge(row: Row, answer: dict[str, Any], reference: dict[str, Any]) -> None:
    """Note whether the peer arrives at the numbers of the reference."""
    name, comma, rest = row.title.partition(",")
    if answer["version"]:
        row.title = f"{name} {answer['version']}{comma}{rest}"
    row.note = answer["note"]
    row.difference = difference(answer, reference)
    if row.difference > TOLERANCE:
        row.failed = True
        row.note = "WRONG NUMBERS, not timed"


def race_rounds(work: str, runs: int, ready: dict[str, Worker], rows: dict[str, Row]) -> None:
    """A round to warm up, then `runs` that count, around the peers in turn."""
    for run in range(runs + 1):
        report(f"{work}: round {run} of {runs}")
        for key in list(ready):
            answer = ready[key].seconds(ROUND_SECONDS)
            if answer["status"] == "failed":
                rows[key].failed = True
                rows[key].note = f"{answer['why']} in round {run}"
                rows[key].times.clear()
                del ready[key]
            elif run:
                rows[key].times.append(answer["seconds"])


def run_alone(work: str) -> dict[str, Row]:
    """One row for every library measured, each measurement in a process of its own."""
    rows = {key: Row(alone.title) for key, alone in ALONE[work].items()}
    for run in range(CHAIN_RUNS if work == "chain" else 1):
        for key, row in rows.items():
            if row.note:
                continue
            report(f"{work}: {row.title}, run {run + 1}")
            with Worker("alone", work, key, ALONE[work][key].pure) as worker:
                answer = worker.answer()
                if answer["status"] == "ran":
                    for name, found in answer["figures"].items():
                        row.figures.setdefault(name, []).extend(found)
                    if worker.process.wait() != 0:
                        row.note = f"then died: {worker.answer()['why']}"
                        row.failed = True
                else:
                    row.note = answer["why"]
                    row.failed = answer["status"] == "failed"
    return rows
