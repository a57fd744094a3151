"""Runs the works that were chosen and prints one table of times and one of targets."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from tests.heavy.bench.race import run_alone, run_race
from tests.heavy.bench.registry import ALONE, RACES
from tests.heavy.bench.table import measured, reached
from tests.heavy.bench.targets import TARGETS, Rows
from tests.support.command_lines import at_least_one, refuse_unknown

WORKS = [*RACES, *ALONE]
PEERS_THAT_MAY_FAIL = {("chain", "micrograd"), ("chain", "rust")}
"""Peers known to break on a long chain: their failure is the result."""


def processor() -> str:
    """The processor's name where Linux tells it, else its family."""
    description = Path("/proc/cpuinfo")
    if description.exists():
        for line in description.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def load() -> float:
    """Processes that wanted to run in the last minute, on average; nan where unknown."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.heavy.bench",
        description="Times micrograd_like beside its peers; every peer must arrive at the same "
        "numbers before it is timed. A peer that fails can be looked at with "
        "`python -m tests.heavy.bench.worker race WORK PEER`.",
    )
    parser.add_argument(
        "works", nargs="*", metavar="WORK", help=f"any of {', '.join(WORKS)} (default: all)"
    )
    parser.add_argument(
        "--runs",
        type=at_least_one("run"),
        default=20,
        metavar="N",
        help="rounds that count in a race (default: 20)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    chosen = parser.parse_args()
    refuse_unknown(parser, "work", chosen.works, WORKS)
    machine = f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    loads = [load()]
    results: dict[str, Rows] = {}
    for work in chosen.works or WORKS:
        results[work] = run_race(work, chosen.runs) if work in RACES else run_alone(work)
        loads.append(load())
    machine += f", load between {min(loads):.1f} and {max(loads):.1f} (an idle one ends at 1)"
    print(f"{machine}; medians of {chosen.runs} rounds\n\n{measured(results)}\n")
    if any(target.work in results for target in TARGETS):
        print(reached(results))
    if chosen.json:
        found = {
            "machine": machine,
            "runs": chosen.runs,
            "rows": {
                work: {key: asdict(row) for key, row in rows.items()}
                for work, rows in results.items()
            },
            "targets": [
                {
                    "work": target.work,
                    "what": target.what,
                    "bound": target.bound,
                    "at_least": target.at_least,
                    "measured": target.measured(results[target.work]),
                    "verdict": target.verdict(results[target.work]),
                }
                for target in TARGETS
                if target.work in results
            ],
        }
        chosen.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    failed = [
        row.title
        for work, rows in results.items()
        for key, row in rows.items()
        if row.failed and (work, key) not in PEERS_THAT_MAY_FAIL
    ]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
