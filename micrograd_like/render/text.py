"""Text that a picture shows as it was written, whatever characters are in it."""

from __future__ import annotations

# What XML can't hold is shown by its picture: U+2400 stands for NUL, and so on.
_CONTROLS = {code: 0x2400 + code for code in range(32) if code != 10} | {127: 0x2421}
_RECORD = str.maketrans({c: "\\" + c for c in "\\{}|<> "} | {"&": "&amp;", "\n": "\\n"})


def printable(text: str) -> str:
    r"""`text` with a visible sign for every character that a picture can't hold.

    >>> printable("a\x00b")
    'a␀b'
    """
    text = text.replace("\r\n", "\n").replace("\t", "    ").translate(_CONTROLS)
    return text.encode("utf-8", "replace").decode("utf-8")


def record(text: str) -> str:
    r"""`text` as a field of a record label: what DOT gives a meaning to stands for itself.

    >>> print(record("a|b <c>"))
    a\|b\ \<c\>
    """
    text = printable(text)
    indent = len(text) - len(text.lstrip(" "))  # which DOT drops, unless it does not break
    return ("\N{NO-BREAK SPACE}" * indent + text[indent:]).translate(_RECORD)


def short(x: float) -> str:
    """A number short enough for a box: four significant digits.

    >>> short(-0.123456), short(2.0), short(1e-18)
    ('−0.1235', '2.0', '1e−18')
    """
    text = f"{x:.4g}"
    if text.lstrip("-").isdigit():
        text += ".0"
    return text.replace("-", "−")
