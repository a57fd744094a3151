"""A GPT on scalars: one transformer layer that learns to spell first names, one letter at a time.

    python demos/gpt_names.py --steps 20        # a taste, in seconds
    python demos/gpt_names.py                   # the full run: 1,000 names

Every number in it is a `Value`, so the model below is the mathematics and nothing else: attention
over the letters so far, in four heads (Vaswani et al. 2017), then a layer of 64 relu units, each
after a normalisation by the root mean square and added to what came in.

Worth a look: the loss starts at ln 27 = 3.3 nats, the entropy of a guess among 26 letters and
the end mark, and falls as the names it makes up get pronounceable.
"""

import argparse
import random
from collections.abc import Sequence

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

    def next_letter(self, token: int, keys: list[Vector], values: list[Vector]) -> list[Value]:
        """The logits of the letter after `token`; what it saw before is in `keys` and `values`."""
        x = add(self.token[token], self.position[len(keys)])
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
        logits = [self.next_letter(token, keys, values) for token in tokens[:-1]]
        mean: Value = ml.cross_entropy(logits, tokens[1:])
        return mean

    def invent(self, rng: random.Random, temperature: float = 0.7) -> str:
        """A name, drawn letter by letter; a lower temperature keeps to the likely letters."""
        name, token = "", END
        keys: list[Vector] = []
        values: list[Vector] = []
        while len(name) < LONGEST:
            logits = self.next_letter(token, keys, values)
            weights = ml.softmax([z.data / temperature for z in logits])
            (token,) = rng.choices(range(TOKENS), weights)
            if token == END:
                break
            name += LETTERS[token]
        return name


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000, help="names to learn from (1000)")
    parser.add_argument("--samples", type=int, default=10, help="names to invent (10)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)

    rng = random.Random(options.seed)
    names = ml.first_names()
    rng.shuffle(names)
    model = GPT(rng)
    parameters = model.parameters()
    optimizer = ml.Adam(
        parameters, lr=lambda step: 0.01 * (1 - step / options.steps), betas=(0.9, 0.95)
    )
    print(f"{len(names)} names, {len(parameters)} parameters, the {ml.ENGINE} engine")

    recent = 0.0
    for step in range(options.steps):
        loss = model.loss(names[step % len(names)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        share = max(0.02, 1 / (step + 1))  # the mean of all, then of about the last fifty
        recent += share * (loss.data - recent)
        if step % max(1, options.steps // 20) == 0 or step == options.steps - 1:
            print(f"name {step + 1:5}   loss {recent:.3f} nats (a running mean)", flush=True)

    print("invented:", ", ".join(model.invent(rng) for _ in range(options.samples)))


if __name__ == "__main__":
    main()
