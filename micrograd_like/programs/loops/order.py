"""An order for the nodes of a graph in which many of one kind come together.

Members of a class can run in one loop when all that they wait for is there. Next comes the kind
of which the largest share of what remains is ready; members that become ready meanwhile join it.
A variant of the rule by which DyNet batches operations (Neubig, Goldberg and Dyer, "On-the-fly
operation batching in dynamic computation graphs", 2017).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence


class Kinds:
    """Nodes by kind. `add` them in an order in which each comes after what it needs."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._kind: dict[int, int] = {}
        self._waits: dict[int, int] = {}
        self._users: dict[int, list[int]] = {}
        self._level: dict[int, int] = {}

    def add(self, node: int, kind: Hashable, needs: Sequence[int]) -> None:
        """Add a node; among `needs`, what was not added itself is there from the start."""
        self._kind[node] = self._numbers.setdefault(kind, len(self._numbers))
        inside = {x for x in needs if x in self._kind}
        self._waits[node] = len(inside)
        self._level[node] = 1 + max([self._level[x] for x in inside], default=0)
        for x in inside:
            self._users.setdefault(x, []).append(node)

    def order(self, joins: Sequence[bool]) -> list[tuple[int, list[int]]]:
        """Classes as pairs of a kind's number and its members; `joins`: who may be joined."""
        kind, waits, users = self._kind, self._waits, self._users
        remaining = [0] * len(self._numbers)
        depth = [0] * len(self._numbers)
        for node, number in kind.items():
            remaining[number] += 1
            depth[number] += self._level[node]
        ready: dict[int, list[int]] = {}
        for node, count in waits.items():
            if not count:
                ready.setdefault(kind[node], []).append(node)
        classes = []

        def merit(number: int) -> tuple[float, float]:
            # Of two with the same share, the one nearer to the start.
            return len(ready[number]) / remaining[number], -depth[number] / remaining[number]

        while ready:
            number = max(ready, key=merit)
            members = ready.pop(number)
            for node in members:  # grows while it is gone through
                remaining[number] -= 1
                depth[number] -= self._level[node]
                for user in users.get(node, ()):
                    waits[user] -= 1
                    if not waits[user]:
                        if kind[user] == number and joins[number]:
                            members.append(user)
                        else:
                            ready.setdefault(kind[user], []).append(user)
            classes.append((number, members))
        return classes

    @property
    def kinds(self) -> list[Hashable]:
        return list(self._numbers)
