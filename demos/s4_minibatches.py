"""S4 · Stochastic gradient descent by mini-batches, watched while it learns.

    python demos/s4_minibatches.py [--plot s4.png]

The gradient of a mean over n examples is the mean of n gradients. A batch of m examples drawn at
random gives an estimate of it that is right on average, at m/n of the price; an estimate from k
batches is off by about 1/√k of what one batch is off. An epoch is one pass over the data: the
examples are shuffled, then cut into batches, and each batch makes one step.

What to look at: the mean of the batches of one epoch is the full gradient, up to rounding; the
error of random batches falls with the root of their number; the accuracy rises fast, bends (the
knee) and crawls; and training stops by itself once the held-out loss has got no better for a while.
"""

import argparse
import math
import random
from collections.abc import Sequence

from micrograd_like import MLP, SGD, History, binary_cross_entropy_with_logits, fit, moons

SIZE = 10  # examples in a batch
Rows = Sequence[Sequence[float]]


def network(rng: random.Random) -> MLP:
    """Two inputs, two layers of eight units, one logit."""
    return MLP(2, [8, 8, 1], init="he", rng=rng)


def gradient(model: MLP, X: Rows, y: Sequence[int]) -> list[float]:
    """The gradient of the mean cross-entropy over these examples."""
    model.zero_grad()
    binary_cross_entropy_with_logits([model(row) for row in X], y).backward()
    return [parameter.grad for parameter in model.parameters()]


def mean(vectors: Sequence[Sequence[float]]) -> list[float]:
    """The mean of vectors, entry by entry."""
    return [sum(column) / len(vectors) for column in zip(*vectors)]


def distance(a: Sequence[float], b: Sequence[float]) -> float:
    """How far two gradients are apart, as a share of the length of `b`."""
    return math.dist(a, b) / math.hypot(*b)


def knee(curve: Sequence[float]) -> int:
    """Where a curve bends: the point farthest above the line from its first point to its last."""
    last = len(curve) - 1
    slope = (curve[-1] - curve[0]) / last
    return max(range(last + 1), key=lambda i: curve[i] - curve[0] - slope * i)


def train(rng: random.Random) -> History:
    """Fit sixty points of two blurred moons, watching a hundred others, until patience runs out."""
    X, y = moons(60, 0.3, rng)
    model = network(rng)
    return fit(
        model,
        X,
        y,
        loss=binary_cross_entropy_with_logits,
        optimizer=SGD(model.parameters(), lr=0.5),
        epochs=200,
        batch_size=SIZE,
        validation=moons(100, 0.3, rng),
        patience=15,
        engine="eager",
        progress=False,
        rng=rng,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", metavar="FILE", help="also draw loss and accuracy into this file")
    options = parser.parse_args(arguments)

    rng = random.Random(4)
    X, y = moons(60, 0.3, rng)
    model = network(rng)
    full = gradient(model, X, y)
    epoch = [gradient(model, X[i : i + SIZE], y[i : i + SIZE]) for i in range(0, len(X), SIZE)]
    print(
        f"the batches of one epoch, their mean against the full gradient: "
        f"{distance(mean(epoch), full):.1e}\n"
    )

    draws: list[list[float]] = []
    print("random batches  off by (share of the full gradient)")
    for count in (1, 4, 16, 64, 256):
        while len(draws) < count:
            chosen = rng.sample(range(len(X)), SIZE)
            draws.append(gradient(model, [X[i] for i in chosen], [y[i] for i in chosen]))
        print(f"{count:14}  {distance(mean(draws), full):8.4f}")

    history = train(random.Random(7))
    accuracies = [row["accuracy"] for row in history.rows]
    bend = knee(accuracies)
    print("\nepoch  accuracy  held out  held-out loss")
    for number, row in enumerate(history.rows):
        if number % 5 == 0 or number in (1, 2, bend, len(history.rows) - 1):
            mark = "  the knee" if number == bend else ""
            print(
                f"{row['epoch']:5}  {row['accuracy']:8.2f}  {row['val_accuracy']:8.2f}  "
                f"{row['val_loss']:13.4f}{mark}"
            )
    print(f"accuracy  {history.sparkline('accuracy')}")
    assert history.best is not None
    print(
        f"stopped by {history.stopped} after epoch {len(history.rows)}; the parameters are those "
        f"of epoch {history.best.epoch}, held-out loss {history.best.loss:.4f}"
    )

    if options.plot:
        history.plot(options.plot)


if __name__ == "__main__":
    main()
