"""One peer in a process of its own: `python -m tests.heavy.bench.worker race moons torch`.

Answers go to standard output, one JSON object a line. In a race the first says that the peer is
ready and gives the numbers to compare; then each line on standard input, a least time in
seconds, is answered with the seconds a step took. Anything a library prints goes to standard
error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import metadata
from typing import IO, Any

from tests.heavy.bench.peer import LeftOutError
from tests.heavy.bench.registry import ALONE, RACES
from tests.heavy.bench.work import CHECKED_STEPS


def answers() -> IO[str]:
    """The standard output, taken away from everything else that would print to it."""
    ours = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return ours


def race(work: str, key: str, out: IO[str]) -> None:
    entry = RACES[work].entries[key]
    began = time.perf_counter()
    peer = entry.make()
    losses, numbers = peer.check(CHECKED_STEPS)
    version = metadata.version(entry.distribution) if entry.distribution else ""
    send(
        out,
        {
            "status": "ready",
            "losses": losses,
            "numbers": numbers,
            "note": peer.note,
            "version": version,
            "setup": time.perf_counter() - began,
        },
    )
    for line in sys.stdin:
        send(out, {"status": "ran", "seconds": peer.seconds(float(line))})


def send(out: IO[str], answer: dict[str, Any]) -> None:
    out.write(json.dumps(answer) + "\n")


def main() -> None:
    kind, work, key = sys.argv[1:]
    out = answers()
    try:
        if kind == "race":
            race(work, key, out)
        else:
            send(out, {"status": "ran", "figures": ALONE[work][key].measure()})
    except LeftOutError as reason:
        send(out, {"status": "left out", "why": str(reason)})
    except Exception as error:
        send(out, {"status": "failed", "why": f"{type(error).__name__}: {error}"[:120]})
        raise


if __name__ == "__main__":
    main()
