"""Interrupts work at random times; exit code 1 if a wrong number or a wreck is left.

A process of its own works; this one sends it SIGINT. Whatever was cut short has to be whole: the
parameters of a training are those after some number of steps, a program gives its numbers, and
once the storm is over one Ctrl-C still ends the process.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.heavy.storm.works import WORKS
from tests.support.command_lines import at_least_one, refuse_unknown

PATIENCE = 60.0
"""Seconds after which a process that should have answered counts as hanging."""

IMPORT = "import micrograd_like, micrograd_like.programs, micrograd_like.training as t; t.fit"


def storm(work: str, seconds: float, rng: random.Random) -> str:
    """Interrupt `work` for so many seconds; returns a line, with "bad" before it if it broke."""
    command = [sys.executable, "-m", "tests.heavy.storm.works", work]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        if (said := child.stdout.readline()) != "working\n":
            return f"bad   {work}: {said}{child.communicate(timeout=PATIENCE)[0]}"
        sent, end = 0, time.monotonic() + seconds
        while time.monotonic() < end and child.poll() is None:
            time.sleep(rng.expovariate(1 / rng.choice([0.001, 0.01, 0.1])))
            child.send_signal(signal.SIGINT)
            sent += 1
        child.stdin.write("\n")  # the storm is over: it says so once it has seen this
        child.stdin.flush()
        summary = child.stdout.readline().strip()
        time.sleep(0.2)
        child.send_signal(signal.SIGINT)  # it sleeps now, and only this ends it
        rest = child.communicate(timeout=PATIENCE)[0]
    except (BrokenPipeError, subprocess.TimeoutExpired) as error:
        child.kill()
        return f"bad   {work}: {type(error).__name__}: {child.communicate()[0][-2000:]}"
    if child.returncode != 0:
        return f"bad   {work}: exit code {child.returncode}: {summary} {rest[-2000:]}"
    return f"whole {work}: {sent} interrupts, {summary}"


def interrupted_imports(count: int, rng: random.Random) -> str:
    """Interrupt the import of the package `count` times: it works or ends in KeyboardInterrupt."""
    bad = []
    for _ in range(count):
        child = subprocess.Popen([sys.executable, "-c", IMPORT], text=True, stderr=subprocess.PIPE)
        time.sleep(rng.uniform(0.0, 0.4))
        child.send_signal(signal.SIGINT)
        said = child.communicate(timeout=PATIENCE)[1]
        if child.returncode not in (0, 1, 130, -signal.SIGINT):
            bad.append(f"exit code {child.returncode}: {said[-500:]}")
        elif said and "KeyboardInterrupt" not in said:
            bad.append(said[-500:])
    return f"bad   imports: {bad}" if bad else f"whole imports: {count} interrupts"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.heavy.storm", description=__doc__)
    parser.add_argument("works", nargs="*", help=f"of {', '.join(WORKS)}; all if none is named")
    parser.add_argument("--seconds", type=at_least_one("second"), default=300, help="in all (300)")
    parser.add_argument("--imports", type=at_least_one("import"), default=40, help="(40)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    refuse_unknown(parser, "work", arguments.works, WORKS)
    rng = random.Random(arguments.seed)
    works = arguments.works or list(WORKS)
    lines = []
    for work in works:
        lines.append(storm(work, arguments.seconds / len(works), rng))
        print(lines[-1], flush=True)
    lines.append(interrupted_imports(arguments.imports, rng))
    print(lines[-1])
    bad = sum(line.startswith("bad") for line in lines)
    print(f"{len(lines) - bad} passed, {bad} failed")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
