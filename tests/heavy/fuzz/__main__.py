"""Runs the targets that were chosen, one after the other, and prints a table of figures."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from micrograd_like import ENGINE
from micrograd_like._internal.extras import MissingExtraError, load
from tests.heavy.fuzz.registry import TARGETS
from tests.heavy.fuzz.target import Target
from tests.support.command_lines import at_least_one, refuse_unknown

ROOT = Path(__file__).parents[3]
MEMORY = Path("/dev/shm")  # where there is one: a disk takes its time for every file that is saved
HUNG = 10  # seconds, after which an input is given up that has not come to an end

FIGURES = {
    "executions": r"stat::number_of_executed_units: +(\d+)",
    "a second": r"stat::average_exec_per_sec: +(\d+)",
    "edges": r"cov: (\d+)",
    "features": r"ft: (\d+)",
    "corpus": r"corp: (\d+)",
    "slowest, ms": r"stat::slowest_ms: ([\d.]+)",
}


def prepare(target: Target, folder: Path) -> list[str]:
    """Write what the fuzzer starts from; the arguments that say where it is."""
    for name in ("corpus", "seeds", "failures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(target.seeds()):
        (folder / "seeds" / str(i)).write_bytes(seed)
    escaped = ["".join(f"\\x{byte:02x}" for byte in token) for token in target.tokens]
    (folder / "tokens").write_text("".join(f'"{token}"\n' for token in escaped))
    return [
        f"-max_len={target.longest}",
        f"-dict={folder / 'tokens'}",
        f"-artifact_prefix={folder / 'failures'}/",
        str(folder / "corpus"),
        str(folder / "seeds"),
    ]


def run(name: str, seconds: int, folder: Path) -> tuple[list[str], str]:
    """The figures of one target, and what went wrong if anything did; it is printed too."""
    target = TARGETS[name]
    flags = [f"-max_total_time={seconds}", f"-timeout={HUNG}", "-print_final_stats=1"]
    worker = [sys.executable, "-m", "tests.heavy.fuzz.worker", name, str(folder)]
    command = [*worker, *flags, *prepare(target, folder)]
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as scratch:
        process = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "TMPDIR": scratch},  # libFuzzer ends without cleaning up
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
        )
    output = process.stdout
    figures = [(re.findall(figure, output) or ["?"])[-1] for figure in FIGURES.values()]
    if process.returncode == 0:
        return figures, ""
    lines = [line for line in output.splitlines() if not line.startswith(("#", "INFO", "stat::"))]
    print(f"{name}: exit code {process.returncode}", *lines[-60:], sep="\n")
    kept = [Path(path) for path in re.findall(r"Test unit written to (.+)", output)]
    for path in kept:
        print(f"\nkept in {path}:\n{path.read_bytes()!r}\n{target.shown(path.read_bytes())}")
    return figures, "FOUND" if kept else "ENDED EARLY"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.heavy.fuzz",
        description="Feeds what no person would type or write to the parts that read what others "
        "wrote, guided by the lines it reaches.",
    )
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(TARGETS)} (default: all)"
    )
    parser.add_argument(
        "--seconds",
        type=at_least_one("second"),
        default=30,
        metavar="N",
        help="for each target (default: 30)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / "build" / "fuzz",
        metavar="FOLDER",
        help="keeps inputs that reach new lines, for the next run, and those that fail (default: "
        "build/fuzz)",
    )
    chosen = parser.parse_args()
    refuse_unknown(parser, "target", chosen.targets, TARGETS)
    try:
        load("atheris", "fuzz")
    except MissingExtraError as error:
        print(f"python -m tests.heavy.fuzz: {error}, on Linux on x86-64", file=sys.stderr)
        return 1
    print(f"{ENGINE} engine, {chosen.seconds} s a target")
    rows, failures = [], 0
    for name in chosen.targets or TARGETS:
        figures, failure = run(name, chosen.seconds, chosen.folder.resolve() / name)
        rows.append([name, *figures, failure or "none"])
        failures += bool(failure)
    for row in [["target", *FIGURES, "failures"], *rows]:
        print(*(f"{cell:>11}" for cell in row))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
