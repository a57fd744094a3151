"""Numbers, labels and columns as the stepper, the pictures and the page show them."""

from __future__ import annotations

import codecs
import html
import io
import math
import os
import re
import sys
from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import Any
from unicodedata import combining, east_asian_width

COLUMNS = 80
"""What a line of text may take where its parts can be broken."""

_LONGEST_LABEL = 40


def number(x: float) -> str:
    """Four decimals and at least four significant digits; fewer only where they are all there are.

    So 0.5 is exact and 0.5000 was rounded.

    >>> number(-0.41997434161402614), number(-0.5), number(3.0), number(1234.5678)
    ('−0.4200', '−0.5', '3.0', '1234.5678')
    >>> number(-0.00268), number(4.248354255291589e-18), number(1e-5)
    ('−0.00268', '4.2484e−18', '1e−05')
    """
    size = abs(x := float(x))
    if not math.isfinite(x):
        text = str(x)
    elif x == 0.0 or (size < 1e6 and x.is_integer()):
        text = f"{x or 0.0:.1f}"
    elif float(short := f"{x:.4g}") == x and not (1e-4 <= size < 1e6 and "e" in short):
        text = short
    elif 1e-3 <= size < 1e6:
        text = f"{x:.{max(4, 3 - math.floor(math.log10(size)))}f}"
    else:
        text = f"{x:.4e}"
    return text.replace("-", "−")


def factor(x: float) -> str:
    """The number as it stands within a formula: in parentheses where it is negative.

    >>> factor(-3.0)
    '(−3.0)'
    """
    text = number(x)
    return f"({text})" if text[0] == "−" else text


def rounded(x: float) -> float:
    """The number that the text of `number` says."""
    return float(number(x).replace("−", "-"))


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first names with commas between them, and how many more there are.

    >>> listed(["w.0", "w.1", "w.2", "b"])
    'w.0, w.1, w.2 and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def one_line(label: str) -> str:
    r"""A label as a name within a line: control characters written out, cut where it is long.

    >>> one_line("two\nlines")
    'two\\nlines'
    """
    return printable(cut(label))


def printable(text: str) -> str:
    """`text` with its control characters written out."""
    return "".join([c if c.isprintable() else repr(c)[1:-1] for c in text])


def quoted(text: str) -> str:
    """Text that somebody typed, in quotes and on one line; cut where it is long."""
    return repr(cut(text))


def cut(text: str) -> str:
    """`text`, or its first characters where it is long."""
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def aligned(rows: Sequence[Sequence[str]], columns: str) -> list[str]:
    r"""The rows as lines with aligned columns.

    `columns` has a "<", ">" or "." for each column, which says to which side its cells go, or that
    numbers stand with their points below each other, and between them the spaces to keep.

    >>> print(*aligned([["a", "1.5"], ["total", "12.25"]], "<  ."), sep="\n")
    a       1.5
    total  12.25
    """
    if not rows:
        return []
    sides = columns.split()
    gaps = [len(gap) for gap in columns.replace("<", ">").replace(".", ">").split(">")][1:]
    cells = [
        _pointed(column) if side == "." else column
        for side, column in zip(sides, zip(*rows, strict=True), strict=True)
    ]
    widths = [max(map(width_of, column)) for column in cells]
    lines = []
    for row in zip(*cells, strict=True):
        line, space = "", 0
        for cell, side, width, gap in zip(row, sides, widths, gaps, strict=True):
            if width:  # a column that is empty throughout takes no space
                padding = " " * (width - width_of(cell))
                line += " " * space + (padding + cell if side == ">" else cell + padding)
                space = 0
            space = max(space, gap)
        lines.append(line.rstrip())
    return lines


def _pointed(numbers: Sequence[str]) -> list[str]:
    """The numbers with spaces in front, so that their points stand below each other."""
    before = [width_of(text.partition(".")[0]) for text in numbers]
    return [" " * (max(before) - n) + text for n, text in zip(before, numbers, strict=True)]


def folded(sentence: str) -> str:
    """`sentence` on lines of 80 columns at most, all but the first indented."""
    return fill(
        sentence, COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def width_of(text: str) -> int:
    """The columns that a terminal gives to `text`."""
    wide = sum(east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(combining(c) > 0 for c in text)


# The places where text is read: a prompt, a notebook, a screen that knows few characters.


class Text(str):
    r"""Lines that show as lines: at the REPL without `print`, and in a notebook.

    It is a string with all its characters; printed, it has those that the screen can show.
    `markup` is what a notebook shows, else the lines in one width; `latex` is the same in formulas,
    where there are any.

    >>> Text("one\ntwo")
    one
    two
    """

    markup: str
    latex: str

    def __new__(cls, text: str, markup: str = "", latex: str = "") -> Text:
        self = super().__new__(cls, text)
        self.latex = latex
        self.markup = markup or f"<pre>{html.escape(text)}</pre>"
        return self

    def __str__(self) -> str:
        return on_screen(self[:])

    def __repr__(self) -> str:
        return on_screen(self[:])

    def __format__(self, form: str) -> str:
        return format(on_screen(self[:]), form)

    def _repr_html_(self) -> str:
        return self.markup

    def _repr_latex_(self) -> str | None:
        return f"$\\displaystyle {self.latex}$" if self.latex else None


def html_table(rows: Iterable[Sequence[str]], heading: Sequence[str] = ()) -> str:
    """Cells as a table of HTML, escaped; a column that is empty throughout is left out."""
    body = [*([heading] if heading else []), *rows]
    kept = [i for i, cells in enumerate(zip(*body, strict=True)) if any(cells)]
    lines = []
    for k, row in enumerate(body):
        tag = "th" if heading and k == 0 else "td"
        cells = [f'<{tag} style="text-align:left">{html.escape(row[i])}</{tag}>' for i in kept]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table>{''.join(lines)}</table>"


def on_screen(text: str) -> str:
    """`text` with the characters that standard output can encode, the others spelt in ASCII.

    A stream that has a way of its own with such characters, other than an error, keeps it.
    """
    return encodable(text, sys.stdout)


def encodable(text: str, stream: Any) -> str:
    """`text` as `stream` can write it."""
    encoding = getattr(stream, "encoding", None)
    if not encoding or getattr(stream, "errors", None) not in (None, "strict"):
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode(encoding, _HANDLER).decode(encoding)
    return text


def write_ascii_where_needed() -> None:
    """Let standard output and error spell in ASCII what they can't encode, or LC_ALL=C forbids.

    For programs, which own these streams; a library only adapts the text that it hands out.
    """
    plain = os.environ.get("LC_ALL") in ("C", "POSIX") and not os.environ.get("PYTHONIOENCODING")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="ascii" if plain else stream.encoding, errors=_HANDLER)


_HANDLER = "micrograd_like.ascii"
_SUPERSCRIPTS = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
_ASCII = {
    **dict(zip("▁▂▃▄▅▆▇█░─│┌┐├└┘×·−∂σ′", "_.-~=+*#:-|+++++x*-ds'", strict=True)),
    **dict(zip(_SUPERSCRIPTS, "-0123456789", strict=True)),
    "→": "->",
    "←": "<-",
    "…": "...",
    "√": "sqrt",
    "½": "1/2",
    "‖": "||",
    "≥": ">=",
    "≤": "<=",
    "≠": "!=",
    "≈": "~",
    "Δ": "d",
    "δ": "delta",
    "λ": "lambda",
    "η": "eta",
    "κ": "kappa",
    "ω": "omega",
    "φ": "phi",
    "γ": "gamma",
    "Σ": "sum",
    "ₖ": "k",
    "ⱼ": "j",
    "\xa0": " ",
}


def _as_ascii(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = re.sub(f"([{_SUPERSCRIPTS}]+)", r"^\1", error.object[error.start : error.end])
    plain = [c if c.isascii() else _ASCII.get(c, ascii(c)[1:-1]) for c in text]
    return "".join(plain), error.end


codecs.register_error(_HANDLER, _as_ascii)
