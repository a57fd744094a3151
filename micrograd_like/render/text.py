"""Text that a picture shows as it was written, whatever characters are in it."""

from __future__ import annotations

import graphviz

# Characters that XML can't hold are shown by their pictures: U+2400 for NUL, and so on.
_CONTROLS = {code: 0x2400 + code for code in range(32) if code != 10} | {127: 0x2421}
_CONTROLS |= dict.fromkeys((*range(0x80, 0xA0), 0xFFFE, 0xFFFF), 0xFFFD)
_RECORD = str.maketrans({c: "\\" + c for c in "\\{}|<> "} | {"&": "&amp;", "\n": "\\n"})

_COMMON = set("−–—…·•×→←↑↓∂∏∑√∞∫≈≠≤≥□⁻⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉")  # beside letters, in most fonts


def printable(text: str) -> str:
    r"""`text` with a visible sign for every character that a picture can't hold.

    >>> printable("a\x00b")
    'a␀b'
    """
    text = text.replace("\r\n", "\n").replace("\t", "    ").translate(_CONTROLS)
    return text.encode("utf-8", "replace").decode("utf-8")


def letters_that_fonts_may_lack(text: str) -> str:
    """The first few letters in `text` that are beyond Latin, Greek, Cyrillic and some mathematics.

    >>> letters_that_fonts_may_lack("αβ∂x² ∇漢字")
    '∇漢字'
    """
    beyond = [c for c in dict.fromkeys(text) if c > "\u0530" and c not in _COMMON]
    return "".join(beyond[:10])


def plain(text: str) -> str:
    r"""`text` as a label that is no record, such as a frame's: never HTML, never an escape.

    >>> print(plain("<a\\b>"))
    <a\\b>
    """
    escaped: str = graphviz.escape(printable(text))  # of a class that is known to be no HTML
    return escaped


def record(text: str) -> str:
    r"""`text` as a field of a record label: what DOT gives a meaning to stands for itself.

    >>> print(record("a|b <c>"))
    a\|b\ \<c\>
    """
    text = printable(text)
    indent = len(text) - len(text.lstrip(" "))  # which DOT drops, unless it does not break
    return ("\N{NO-BREAK SPACE}" * indent + text[indent:]).translate(_RECORD)
