"""First names as rows for a network that learns to spell, and new ones that it makes up."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from math import isfinite

from micrograd_like._internal.numbers import Rows
from micrograd_like.functions import softmax

END = "."  # what stands before a name and behind it
LETTERS = END + "abcdefghijklmnopqrstuvwxyz"
_SEEN = 3  # letters that a row shows
_LONGEST = 16  # letters; the real names have 11 at most
_TEMPERATURE = 0.7  # below 1, which keeps to the likely letters

Predict = Callable[[Rows], list[list[float]]]
"""From rows to a logit for each of `LETTERS`."""


def spelled(names: Iterable[str]) -> tuple[Rows, list[int]]:
    """A row for each letter of each name and for its end: the 3 letters before it; and which it is.

    A letter is 27 numbers, 1 at its place in `LETTERS` and 0 elsewhere; a class is such a place.

    >>> X, y = spelled(["al"])
    >>> len(X), len(X[0]), y
    (3, 81, [1, 12, 0])
    >>> [i for i, x in enumerate(X[2]) if x]  # . and a and l
    [0, 28, 66]
    """
    X: Rows = []
    y: list[int] = []
    for name in names:
        for i, letter in enumerate(name + END):
            X.append(_row(name[:i]))
            y.append(LETTERS.index(letter))
    return X, y


def invented(predict: Predict, known: Iterable[str], rng: random.Random, count: int) -> list[str]:
    """Up to `count` names, drawn letter by letter by the probabilities of `predict`.

    They differ from each other and from those `known`. There are fewer where it takes more than 20
    attempts for each, and none where a probability is nan.

    >>> after = dict(zip(".eva", "eva."))
    >>> def predict(rows):
    ...     last = LETTERS[rows[0].index(1.0, 54) - 54]
    ...     return [[99.0 * (letter == after[last]) for letter in LETTERS]]
    >>> invented(predict, [], random.Random(1), 2)
    ['eva']
    >>> invented(predict, ["eva"], random.Random(1), 2)
    []
    """
    known, new = set(known) | {""}, list[str]()
    for _ in range(20 * count):
        if len(new) == count:
            break
        name = _drawn(predict, rng)
        if name not in known:
            known.add(name)
            new.append(name)
    return new


def _drawn(predict: Predict, rng: random.Random) -> str:
    name = ""
    while len(name) < _LONGEST:
        logits = predict([_row(name)])[0]
        weights = softmax([z / _TEMPERATURE for z in logits])
        if not isfinite(sum(weights)):  # the training has come to nan
            return ""
        letter = rng.choices(LETTERS, weights)[0]
        if letter == END:
            break
        name += letter
    return name


def _row(before: str) -> list[float]:
    seen = (_SEEN * END + before)[-_SEEN:]
    return [float(letter == place) for letter in seen for place in LETTERS]
