"""The results as tables that read well in a terminal and are Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tests.heavy.bench.registry import RACES
from tests.heavy.bench.targets import TARGETS, Rows

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def duration(seconds: float) -> str:
    """Three digits and a unit: `16.4 ms`."""
    size, unit = next((pair for pair in UNITS if seconds >= pair[0]), UNITS[-1])
    return f"{number(seconds / size)} {unit}"


def number(value: float) -> str:
    """Three digits, thousands apart: `0.0123`, `1.41`, `62,300`."""
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def grid(head: Sequence[str], lines: Sequence[Sequence[str]], words: int) -> str:
    """A Markdown table; the first column is for words, and the last `words` columns are."""
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    left = {0, *range(len(head) - words, len(head))}

    def row(line: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return f"| {' | '.join(cells)} |"

    rule = [
        ("-" * width) if column in left else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    return "\n".join([row(head), f"| {' | '.join(rule)} |", *map(row, lines)])


def race_lines(rows: Rows, yardstick: str) -> list[list[str]]:
    unit = rows[yardstick].median
    lines = []
    for row in rows.values():
        times = ["", "", "", ""]
        if row.median is not None:
            times = [
                *map(duration, (row.median, min(row.times), max(row.times))),
                f"{number(unit / row.median)}×" if unit else "",
            ]
        off = "" if row.difference is None else f"{row.difference:.0e}"
        lines.append([f"  {row.title}", *times, off, row.note])
    return lines


def alone_lines(rows: Rows) -> list[list[str]]:
    lines = []
    for row in rows.values():
        for name, found in row.figures.items():
            ends = [number(min(found)), number(max(found))] if len(found) > 1 else ["", ""]
            lines.append(
                [f"  {row.title}: {name}", number(statistics.median(found)), *ends, "", "", ""]
            )
        if row.note or not row.figures:
            lines.append([f"  {row.title}", "", "", "", "", "", row.note])
    return lines


def measured(results: dict[str, Rows]) -> str:
    """Everything that was measured, work by work."""
    lines: list[list[str]] = []
    for work, rows in results.items():
        if work in RACES:
            race = RACES[work]
            unit = rows[race.yardstick].title
            lines.append([race.title, "", "", "", f"{unit} = 1", "", ""])
            lines += race_lines(rows, race.yardstick)
        else:
            lines.append([work, "", "", "", "", "", ""])
            lines += alone_lines(rows)
    return grid(["", "median", "least", "most", "speed", "off by", "note"], lines, words=1)


def reached(results: dict[str, Rows]) -> str:
    """The targets of the works that ran."""
    lines = []
    for target in TARGETS:
        if target.work in results:
            rows = results[target.work]
            found = target.measured(rows)
            sign = "≥" if target.at_least else "≤"
            lines.append(
                [
                    f"{target.work}: {target.what}",
                    "–" if found is None else number(found),
                    f"{sign} {number(target.bound)}",
                    target.verdict(rows),
                ]
            )
    return grid(["target", "measured", "bound", "verdict"], lines, words=1)
