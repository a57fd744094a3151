"""One process: `python -m tests.heavy.fuzz.worker TARGET FOLDER FLAG...`, the flags libFuzzer's.

libFuzzer ends the process by itself, with another exit code than 0 where it has found something.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import process_time

import atheris

# Before anything else has imported the package, so that all of it reports where it has been.
with atheris.instrument_imports(include=["micrograd_like"]):
    from tests.heavy.fuzz.registry import TARGETS

SLOWEST = 1.0  # seconds of the processor, whatever else runs beside


class TooSlowError(Exception):
    pass


def main() -> None:
    name, folder, *flags = sys.argv[1:]
    target, slowest = TARGETS[name], 0.0

    def one(data: bytes) -> None:
        nonlocal slowest
        begin = process_time()
        target.check(data)
        seconds = process_time() - begin
        if seconds > slowest:
            slowest = seconds
            Path(folder, "slowest").write_bytes(data)
            print(f"stat::slowest_ms: {1e3 * seconds:.1f}", file=sys.stderr, flush=True)
        if seconds > SLOWEST:
            raise TooSlowError(f"{seconds:.1f} s, more than {SLOWEST:.0f} s")

    hooks = {}
    if target.mutate:
        change = target.mutate
        hooks["custom_mutator"] = lambda data, longest, seed: change(
            data, longest, seed, atheris.Mutate
        )
    atheris.Setup([sys.argv[0], *flags], one, **hooks)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
