"""Plants the bugs that were chosen and prints a table of the tests that caught them."""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from tests.command_lines import refuse_unknown
from tests.mutation.mutant import Mutant
from tests.mutation.mutants import MUTANTS
from tests.mutation.run import copy, run_on_copy

ROOT = Path(__file__).parents[2]


def unharmed(source: Path, mutants: list[Mutant], pool: ThreadPoolExecutor) -> bool:
    """Whether the tests in question pass without a bug; what fails is printed."""
    tests: dict[str, list[str]] = {}
    for test in sorted({test for mutant in mutants for test in mutant.tests}):
        tests.setdefault(test.partition("::")[0], []).append(test)
    runs = list(pool.map(lambda few: run_on_copy(source, few), tests.values()))
    for run in runs:
        if run.code != 0:
            print(run.output)
    return all(run.code == 0 for run in runs)


def main() -> int:
    names = [mutant.name for mutant in MUTANTS]
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation",
        description="Plants bugs in copies of the package, one at a time, and runs the tests that "
        "ought to catch each. The exit code is 1 if one is not caught.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a bug (default: all)")
    asked = parser.parse_args().names
    refuse_unknown(parser, "mutant", asked, names)
    chosen = [mutant for mutant in MUTANTS if not asked or mutant.name in asked]
    begin = perf_counter()
    with TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        source = Path(folder)
        copy(ROOT, source)
        if not unharmed(source, chosen, pool):
            print("The tests fail without any bug.", file=sys.stderr)
            return 1
        widths = [
            max(map(len, ["mutant", *(m.name for m in chosen)])),
            max(map(len, ["file", *(m.file for m in chosen)])),
            max(map(len, ["kind", *(m.kind for m in chosen)])),
        ]

        def row(name: str, file: str, kind: str, seconds: str, killed_by: str) -> None:
            first = "  ".join(
                f"{cell:{width}}" for cell, width in zip((name, file, kind), widths, strict=True)
            )
            print(f"{first}  {seconds:>7}  {killed_by}", flush=True)

        row("mutant", "file", "kind", "seconds", "killed by")
        alive = []
        runs = pool.map(lambda mutant: run_on_copy(source, mutant.tests, mutant), chosen)
        for mutant, run in zip(chosen, runs, strict=True):
            found = run.killed_by or ("SURVIVED" if run.code == 0 else f"ERROR, code {run.code}")
            row(mutant.name, mutant.file, mutant.kind, f"{run.seconds:.1f}", found)
            if not run.killed_by:
                alive.append(mutant.name)
                print(*run.output.splitlines()[-20:], sep="\n")
    print(f"\n{len(chosen) - len(alive)} of {len(chosen)} killed in {perf_counter() - begin:.0f} s")
    if alive:
        print(f"not killed: {', '.join(alive)}", file=sys.stderr)
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
