"""A GPT on scalars: one transformer layer that learns to spell first names, one letter at a time.

    python demos/gpt_names.py                   # compiled: all names, ten times
    python demos/gpt_names.py --eager 1000      # one name a step, a graph for each

Every number in it is a `Value`, so the model below is the mathematics and nothing else: attention
over the letters so far, in four heads (Vaswani et al. 2017), then a layer of 64 relu units, each
after a normalisation by the root mean square and added to what came in.

A graph is of one name. To compile it once for all of them, a name becomes a row of numbers: for
each place 27, of which the letter's is 1, and zeros past the end.

Worth a look: the loss starts at ln 27 = 3.3 nats, the entropy of a guess among 26 letters and
the end mark, and falls as the names it makes up get pronounceable.
"""

import argparse
import math
import random
from collections.abc import Sequence
from typing import Any

import micrograd_like as ml
from micrograd_like import Value

LETTERS = "abcdefghijklmnopqrstuvwxyz"
END = 26  # also the token a name starts from
TOKENS, WIDTH, HEADS, LONGEST = 27, 16, 4, 16
SIZE = WIDTH // HEADS

Vector = Sequence[Value]
Matrix = Sequence[Vector]


def matrix(rows: int, columns: int, rng: random.Random, spread: float = 0.08) -> Matrix:
    """Weights to learn, normally distributed."""
    return [[Value(rng.gauss(0, spread)) for _ in range(columns)] for _ in range(rows)]


def dot(a: Vector, b: Vector) -> Value:
    """Σ aᵢ bᵢ."""
    total = a[0] * b[0]
    for x, y in zip(a[1:], b[1:], strict=True):
        total = total + x * y
    return total


def linear(x: Vector, weights: Matrix) -> list[Value]:
    """The product of a matrix and a vector."""
    return [dot(row, x) for row in weights]


def add(a: Vector, b: Vector) -> list[Value]:
    """a + b, entry by entry."""
    return [x + y for x, y in zip(a, b, strict=True)]


def normalise(x: Vector) -> list[Value]:
    """x over its root mean square (Zhang and Sennrich 2019, without the gain)."""
    scale = (dot(x, x) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


class GPT:
    """One transformer layer between an embedding of letters and places, and a reader of letters."""

    def __init__(self, rng: random.Random) -> None:
        self.token = matrix(TOKENS, WIDTH, rng)
        self.position = matrix(LONGEST, WIDTH, rng)
        self.query, self.key, self.value, self.merge = (matrix(WIDTH, WIDTH, rng) for _ in range(4))
        self.widen = matrix(4 * WIDTH, WIDTH, rng)
        self.narrow = matrix(WIDTH, 4 * WIDTH, rng)
        self.read = matrix(TOKENS, WIDTH, rng)

    def parameters(self) -> list[Value]:
        return [p for weights in vars(self).values() for row in weights for p in row]

    def next_letter(self, token: Vector, keys: list[Vector], values: list[Vector]) -> list[Value]:
        """The logits of the letter after that with the embedding `token`.

        Earlier letters are in `keys` and `values`, to which this one is added.
        """
        x = add(token, self.position[len(keys)])
        seen = normalise(x)
        query = linear(seen, self.query)
        keys.append(linear(seen, self.key))
        values.append(linear(seen, self.value))
        mixed: list[Value] = []
        for h in range(0, WIDTH, SIZE):
            scores = [dot(query[h : h + SIZE], k[h : h + SIZE]) * SIZE**-0.5 for k in keys]
            attention = ml.softmax(scores)
            mixed += [dot(attention, [v[i] for v in values]) for i in range(h, h + SIZE)]
        x = add(x, linear(mixed, self.merge))
        hidden = [unit.relu() for unit in linear(normalise(x), self.widen)]
        x = add(x, linear(hidden, self.narrow))
        return linear(normalise(x), self.read)

    def loss(self, name: str) -> Value:
        """The mean surprise, in nats, at each letter of `name` and at its end."""
        tokens = [END, *map(LETTERS.index, name), END][: LONGEST + 1]
        keys: list[Vector] = []
        values: list[Vector] = []
        logits = [self.next_letter(self.token[k], keys, values) for k in tokens[:-1]]
        mean: Value = ml.cross_entropy(logits, tokens[1:])
        return mean

    def __call__(self, row: Sequence[Any]) -> Value:
        """The same of a name given as a row of numbers, as `row_of` makes them."""
        token, surprise, letters = self.token[END], Value(0.0), 0.0
        keys: list[Vector] = []
        values: list[Vector] = []
        for start in range(0, len(row), TOKENS):
            letter = row[start : start + TOKENS]
            shares = ml.softmax(self.next_letter(token, keys, values))
            there = sum(letter)  # 1, or 0 past the end, where nothing is a surprise
            surprise = surprise - (dot(shares, letter) + (1.0 - there)).log()
            letters = letters + there
            token = [dot(column, letter) for column in zip(*self.token, strict=True)]
        return surprise / letters

    def invent(self, rng: random.Random, temperature: float = 0.7) -> str:
        """A name, drawn letter by letter; a lower temperature keeps to the likely letters."""
        name, token = "", END
        keys: list[Vector] = []
        values: list[Vector] = []
        while len(name) < LONGEST:
            logits = self.next_letter(self.token[token], keys, values)
            weights = ml.softmax([z.data / temperature for z in logits])
            (token,) = rng.choices(range(TOKENS), weights)
            if token == END:
                break
            name += LETTERS[token]
        return name


def row_of(name: str, places: int) -> list[float]:
    """A name and its end mark as a row of numbers, 27 for each of so many places."""
    tokens = [*map(LETTERS.index, name), END]
    return [float(tokens[t : t + 1] == [k]) for t in range(places) for k in range(TOKENS)]


def learn_eagerly(model: GPT, names: Sequence[str], steps: int) -> None:
    """One name a step."""
    optimizer = ml.Adam(
        model.parameters(), lr=lambda step: 0.01 * (1 - step / steps), betas=(0.9, 0.95)
    )
    recent = 0.0
    for step in range(steps):
        loss = model.loss(names[step % len(names)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        share = max(0.02, 1 / (step + 1))  # the mean of all, then of about the last fifty
        recent += share * (loss.data - recent)
        if step % max(1, steps // 20) == 0 or step == steps - 1:
            print(f"name {step + 1:5}   loss {recent:.3f} nats (a running mean)", flush=True)


def learn(model: GPT, names: Sequence[str], epochs: int, rng: random.Random) -> None:
    """Batches of 32 names, as many at a time as the processor has lanes; 500 are held out."""
    places = max(map(len, names)) + 1
    X = [row_of(name, places) for name in names]
    y = [0.0] * len(X)  # the model gives the loss itself
    steps = epochs * math.ceil((len(X) - 500) / 32)
    ml.fit(
        model,
        X[500:],
        y[500:],
        loss=lambda surprises, _: sum(surprises) / len(surprises),
        optimizer=ml.Adam(
            model.parameters(), lr=lambda step: 0.01 * (1 - step / steps), betas=(0.9, 0.95)
        ),
        epochs=epochs,
        batch_size=32,
        validation=(X[:500], y[:500]),
        metrics=(),
        compile=True,
        progress=False,
        allow_unused=True,  # the last places of the position table
        callbacks=[show],
        rng=rng,
    )


def show(_: GPT, row: dict[str, Any]) -> None:
    """Print the loss of an epoch."""
    print(
        f"epoch {row['epoch']:3}   loss {row['loss']:.3f} nats, held out {row['val_loss']:.3f}   "
        f"{row['seconds']:.2f} s",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--eager", type=int, metavar="N", help="learn from N names, uncompiled")
    parser.add_argument("--epochs", type=int, default=10, help="passes over all names (10)")
    parser.add_argument("--samples", type=int, default=10, help="names to invent (10)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)

    rng = random.Random(options.seed)
    names = ml.first_names()
    rng.shuffle(names)
    model = GPT(rng)
    print(f"{len(names)} names, {len(model.parameters())} parameters, the {ml.ENGINE} engine")
    if options.eager is None:
        learn(model, names, options.epochs, rng)
    else:
        learn_eagerly(model, names, options.eager)
    print("invented:", ", ".join(model.invent(rng) for _ in range(options.samples)))


if __name__ == "__main__":
    main()
