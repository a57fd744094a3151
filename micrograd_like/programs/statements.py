"""The lines of a tape as statements of a language: Python, JavaScript, C."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from micrograd_like.operation import Op
from micrograd_like.programs.tape import Operand, Tape


class Statements:
    """The assignments that compute the results of a tape.

    - `once`: those that are the same for all rows; `by_row`: those of a row.
    - `leaves`: the names of parameters, p0, p1, …, and inputs, x0, x1, …; `used`: the numbers of
      those that occur.

    `number` spells a number, `expression` an operation on texts, and `assigned` the statement that
    gives the text of a result its name, with a label that is one line.
    """

    def __init__(
        self,
        tape: Tape,
        gradient: bool,
        number: Callable[[float], str],
        expression: Callable[[Op, list[str]], str],
        assigned: Callable[[str, str, str], str],
    ) -> None:
        self._number = number
        self.leaves = [f"p{i}" for i in range(tape.parameters)]
        self.leaves += [f"x{i}" for i in range(tape.inputs)]
        self.once: list[str] = []
        self.by_row: list[str] = []
        self.used: set[int] = set()
        for place in tape.needed(tape.results(gradient)):
            line = tape.lines[place]
            if line.op is None:
                self.used.add(place)
            else:
                text = expression(line.op, self.shown(line.operands))
                label = line.label if line.label.isprintable() else repr(line.label)
                statement = assigned(f"v{place}", text, label)
                (self.by_row if line.by_row else self.once).append(statement)

    def shown(self, operands: Sequence[Operand]) -> list[str]:
        """The texts of lines and constants."""
        return [self._number(x) if type(x) is float else self._name(int(x)) for x in operands]

    def _name(self, place: int) -> str:
        return self.leaves[place] if place < len(self.leaves) else f"v{place}"


def added(name: str, terms: Sequence[str], most: int) -> Iterator[str]:
    """Statements that add the sum of `terms`, taken in order, to `name`.

    Never more than `most` in one expression: a parser may nest them.
    """
    if len(terms) > most:
        yield f"s = {' + '.join(terms[:most])}"
        for start in range(most, len(terms), most):
            yield " + ".join(["s = s", *terms[start : start + most]])
        terms = ["s"]
    if terms:
        yield f"{name} += {' + '.join(terms)}"
