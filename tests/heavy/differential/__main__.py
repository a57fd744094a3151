"""Runs random graphs through every engine and prints one table; exit code 1 if a bound is broken.

Two kinds of graphs, as many of each. In tame ones all values and local derivatives lie between
1/20 and 20 in size, and gradients are held to multiples of u·Gabs. In wild ones they lie between
1e-60 and 1e60, or are 0. Both are held to the first-order bounds of `bounds`.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Sequence

import micrograd_like
from tests.heavy.differential.budgets import ENGINE, JAX, MACHINE_CODE
from tests.heavy.differential.engines import OTHERS, Pure, eager, installed
from tests.heavy.differential.graphs import TAME, WILD, Graph, Kind, random_graph
from tests.heavy.differential.tally import LAW, Case, Tally
from tests.support.command_lines import at_least_one, refuse_unknown

BATCH = 250
"""Graphs in one compiled program."""

OURS, PURE = f"{micrograd_like.ENGINE} engine", "pure engine, again"
BUDGETS = {"llvm": MACHINE_CODE, "jax": JAX}
EQUAL = (PURE, "python")
"""Engines whose numbers are those of the engine at hand to the bit."""


def run(kind: Kind, seeds: range, names: Sequence[str], rejected: Counter[str]) -> list[Tally]:
    tallies = {name: Tally(name, kind, BUDGETS.get(name, ENGINE)) for name in names}
    pure = Pure()
    for start in range(seeds.start, seeds.stop, BATCH):
        batch = range(start, min(start + BATCH, seeds.stop))
        cases = [Case(random_graph(seed, kind, rejected)) for seed in batch]
        recipes = [case.graph.recipe for case in cases]
        ours, digest = eager(recipes)
        again, same = pure(recipes)
        if digest != same:
            sys.exit(f"{kind.name} graphs {batch}: a node differs between the two engines' forms")
        for name, tally in tallies.items():
            found = {OURS: ours, PURE: again}.get(name) or OTHERS[name](recipes)
            for case, numbers, own in zip(cases, found, ours, strict=True):
                tally.add(case, numbers, own)
    pure.close()
    return [*tallies.values()]


HEADINGS = ["engine", "graphs", "numbers", "same bits", "value", "gradient"]
HEADINGS += [f"{check} ≤ {limit:g}" for check, limit in LAW.items()]


def row(tally: Tally) -> list[str]:
    figures = [tally.worst.get(check) for check in ("value", "gradient", *LAW)]
    return [
        tally.engine,
        f"{tally.graphs} {tally.kind.name}",
        str(tally.numbers),
        str(tally.same),
        *[f"{worst.figure:.3g} (#{worst.graph.seed})" if worst else "" for worst in figures],
    ]


def printed(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([cell.rjust(width) for cell, width in zip(line, widths, strict=True)])
        for line in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def described(graph: Graph) -> str:
    """The graph as statements."""
    lines = [f"x{i} = {x!r}" for i, x in enumerate(graph.recipe.leaves)]
    for place, (name, picks) in enumerate(graph.recipe.steps, len(lines)):
        operands = ", ".join([f"x{x}" if isinstance(x, int) else repr(x) for x in picks])
        lines.append(f"x{place} = {name}({operands})")
    text = f"{graph.kind.name} {graph.seed}: " + "; ".join(lines)
    return textwrap.fill(text, 100, subsequent_indent="    ", break_long_words=False)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.heavy.differential",
        description="Compares values and gradients of random graphs, by every engine, with an "
        "oracle of 130 digits.",
    )
    parser.add_argument(
        "engines",
        nargs="*",
        metavar="ENGINE",
        help=f"any of {', '.join(OTHERS)}, beside the engine itself (default: what is installed)",
    )
    parser.add_argument(
        "--graphs",
        type=at_least_one("graph"),
        default=10_000,
        metavar="N",
        help="graphs of each kind (default: 10000)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="the number of the first graph (default: 0)"
    )
    chosen = parser.parse_args()
    refuse_unknown(parser, "engine", chosen.engines, OTHERS)
    missing = [name for name in chosen.engines or OTHERS if not installed(name)]
    if missing and chosen.engines:
        parser.error(f"{', '.join(missing)}: not installed")
    names = [name for name in chosen.engines or OTHERS if name not in missing]
    rejected: Counter[str] = Counter()
    started = time.perf_counter()
    seeds = range(chosen.seed, chosen.seed + chosen.graphs)
    tallies = [
        tally for kind in (TAME, WILD) for tally in run(kind, seeds, [OURS, PURE, *names], rejected)
    ]
    report(tallies, rejected, missing)
    print(f"{time.perf_counter() - started:.0f} s")
    return int(any(is_broken(tally) for tally in tallies))


def is_broken(tally: Tally) -> bool:
    """True if it broke a bound; PyTorch stands beside ours, and promised nothing."""
    unequal = tally.engine in EQUAL and tally.same < tally.graphs
    return tally.engine != "torch" and bool(tally.broken or unequal)


def report(tallies: Sequence[Tally], rejected: Counter[str], missing: Sequence[str]) -> None:
    print(printed([HEADINGS, *map(row, tallies)]))
    print(
        "\nThe worst errors, and on which graph: of value and gradient in units of the first-order"
        "\nbound, which is the graph's own; the others in units of u·Gabs. PyTorch stands beside,"
        "\nand is not judged."
    )
    for name in missing:
        print(f"{name}: not installed")
    for tally in tallies:
        for check, count in tally.beyond.items():
            print(
                f"{tally.engine}, {check}: {count} gradients are beyond {LAW[check]:g}·u·Gabs, but "
                "within what their graph makes of correctly rounded operations"
            )
    print("\ndrawn again, and why:")
    for reason, count in rejected.most_common():
        print(f"{count:8}  {reason}")
    print("\nwhere gradients are worst:")
    worst = [tally.worst["gradient"].graph for tally in tallies if tally.engine != "torch"]
    for text in dict.fromkeys(map(described, worst)):
        print(text)
    for tally in filter(is_broken, tallies):
        print(f"\nOUT OF BOUNDS: {tally.engine}, {tally.kind.name} graphs")
        if tally.engine in EQUAL and tally.same < tally.graphs:
            print(f"{tally.graphs - tally.same} graphs differ from the engine's in a bit")
        for check, found in tally.broken[:10]:
            print(f"{check} {found.figure:.4g} in {described(found.graph)}")


if __name__ == "__main__":
    sys.exit(main())
