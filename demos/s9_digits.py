"""S9 · Cross-entropy as expected code length, and a network that reads handwritten digits.

    python demos/s9_digits.py [--plot s9.png]

A message of probability q takes −log q to write down. If messages come with the probabilities p but
the code was made for q, the expected length is −Σ pᵢ log qᵢ, the cross-entropy; it is shortest for
q = p, where it is the entropy of p, and what it takes more than that is the divergence of q from p.
So a classifier that is trained with it learns to say how likely each class is: the target is p,
the softmax of the network's ten outputs is q, and the loss is what a digit costs to transmit to
someone who sees the image and has the same network.

Worth a look: what a held-out digit costs, in bits, against the log₂ 10 = 3.32 of guessing; which
digits are taken for which; and the images that it got wrong, some of which you may get wrong too.
"""

import math
import random
from collections.abc import Sequence

from support.plotting import plot_asked_for

from micrograd_like import MLP, Adam, History, binary_cross_entropy, cross_entropy, digits, fit

BIT = math.log(2)  # in nats
TRAIN, EPOCHS, BATCH = 1000, 2, 10
Rows = list[list[float]]


def expected_length(p: Sequence[float], q: Sequence[float]) -> float:
    """−Σ p ln q, in nats."""
    return -sum(pi * math.log(qi) for pi, qi in zip(p, q))


def split(rng: random.Random) -> tuple[Rows, list[int], Rows, list[int]]:
    """The digits, shuffled: rows and classes to learn from, and those held out."""
    pairs = list(zip(*digits()))
    rng.shuffle(pairs)
    X, y = map(list, zip(*pairs))
    return X[:TRAIN], y[:TRAIN], X[TRAIN:], y[TRAIN:]


def train(X: Rows, y: list[int], rng: random.Random) -> tuple[MLP, History]:
    """A network with 32 tanh units, trained with a step size that falls to 0."""
    model = MLP(64, [32, 10], activation="tanh", init="glorot", rng=rng)
    steps = EPOCHS * len(X) / BATCH
    history = fit(
        model,
        X,
        y,
        loss=cross_entropy,
        optimizer=Adam(model.parameters(), lr=lambda step: 0.03 * (1 - step / steps)),
        epochs=EPOCHS,
        batch_size=BATCH,
        progress=False,
        rng=rng,
    )
    return model, history


def picture(row: Sequence[float]) -> list[str]:
    """An image as eight lines of shades."""
    shades = [" ░▒▓█"[round(4 * ink)] * 2 for ink in row]
    return ["".join(shades[i : i + 8]) for i in range(0, 64, 8)]


def main(arguments: Sequence[str] | None = None) -> None:
    plot = plot_asked_for(__doc__, "what it got wrong", arguments)

    p = (0.5, 0.25, 0.125, 0.125)
    print(f"messages with the probabilities {p}: expected bits")
    for q in (p, (0.25, 0.25, 0.25, 0.25), (0.125, 0.125, 0.25, 0.5)):
        length = expected_length(p, q) / BIT
        loss = cross_entropy([math.log(qi) for qi in q], p) / BIT
        print(f"  by a code made for {q!s:28}  −Σ p log₂ q {length:.4f}   cross_entropy {loss:.4f}")
    length = expected_length((0.75, 0.25), (0.9, 0.1)) / BIT
    loss = binary_cross_entropy(0.9, 0.75) / BIT
    print(f"a coin of 0.75, by a code for 0.9: {length:.4f}   binary_cross_entropy {loss:.4f}\n")

    rng = random.Random(9)
    X, y, X_test, y_test = split(rng)
    model, history = train(X, y, rng)
    print(history)
    outputs = [[logit.data for logit in model(row)] for row in X_test]
    answers = [scores.index(max(scores)) for scores in outputs]
    right = sum(a == t for a, t in zip(answers, y_test))
    print(
        f"a held-out digit costs {cross_entropy(outputs, y_test) / BIT:.2f} bits, guessing costs "
        f"{math.log2(10):.2f}; accuracy {right / len(y_test):.4f}\n"
    )

    print("rows: the digit, columns: the answer")
    print("   " + "".join(f"{k:4}" for k in range(10)))
    for k in range(10):
        row = [sum(a == j and t == k for a, t in zip(answers, y_test)) for j in range(10)]
        print(f"{k:3}" + "".join(f"{count or '·':>4}" for count in row))

    wrong = [i for i, (a, t) in enumerate(zip(answers, y_test)) if a != t]
    print(f"\n{len(wrong)} of {len(y_test)} wrong")
    for start in range(0, len(wrong), 4):
        group = wrong[start : start + 4]
        titles = [f"a {y_test[i]}, read as {answers[i]}" for i in group]
        print("\n" + "   ".join(f"{title:16}" for title in titles).rstrip())
        for lines in zip(*(picture(X_test[i]) for i in group)):
            print("   ".join(lines).rstrip())

    if plot:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 3), layout="constrained")
        for axes, i in zip(figure.subplots(2, 10).flat, wrong):
            axes.imshow([X_test[i][k : k + 8] for k in range(0, 64, 8)], "Greys")
            axes.set(title=f"{y_test[i]} as {answers[i]}", xticks=[], yticks=[])
        figure.savefig(plot, dpi=150)


if __name__ == "__main__":
    main()
