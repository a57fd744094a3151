"""A network of real size on scalars: 85,000 parameters, or MNIST with 102,000.

    python demos/real_size.py                   # scikit-learn's 1,797 digits of 8×8 pixels
    python demos/real_size.py --mnist FOLDER    # those of 28×28, from files that you have

Each parameter is a `Value`, and so is each of the products and sums that a digit takes, 163,000 of
them for a digit of 8×8 with the way back; nothing here is a matrix. `fit` traces one digit and
compiles what it finds, which is matrix products after all.

MNIST is the four files train-images-idx3-ubyte, train-labels-idx1-ubyte and the same with t10k, as
they are or as .gz; of the 60,000 digits the first 10,000 are learned from, or --train N.

Worth a look: the seconds of an epoch, and of the first one, which includes the compiling.
"""

import argparse
import gzip
import math
import random
import zlib
from collections.abc import Sequence
from pathlib import Path

from micrograd_like import MLP, Adam, cross_entropy, digits, fit

Rows = list[list[float]]
Data = tuple[Rows, list[int]]
INK = [x / 255 for x in range(256)]


def read_idx(path: Path) -> tuple[tuple[int, ...], bytes]:
    """The shape of the array in an IDX file of bytes, and the bytes; FILE.gz will do as well.

    FileNotFoundError without either, ValueError if it is no such file or cut short.
    """
    if not path.exists() and (packed := path.with_name(f"{path.name}.gz")).exists():
        path = packed
    found = path.read_bytes()
    if path.suffix == ".gz":
        found = gzip.decompress(found)
    if found[:3] != b"\0\0\x08" or len(found) < 4 + 4 * found[3]:
        raise ValueError(f"{path} is no IDX file of bytes: it starts with {found[:4]!r}")
    ends = range(4, 4 + 4 * found[3], 4)
    shape = tuple(int.from_bytes(found[i : i + 4], "big") for i in ends)
    body = found[4 + 4 * found[3] :]
    if len(body) != math.prod(shape):
        raise ValueError(f"{path} says it has {math.prod(shape)} bytes, and has {len(body)}")
    return shape, body


def read_mnist(folder: Path, part: str, most: int) -> Data:
    """The first digits of a part, "train" or "t10k": rows of ink from 0 to 1, and classes."""
    (count, height, width), pixels = read_idx(folder / f"{part}-images-idx3-ubyte")
    (labels,), classes = read_idx(folder / f"{part}-labels-idx1-ubyte")
    if count != labels:
        raise ValueError(f"{folder} has {count} images for {part}, and {labels} labels")
    size = height * width
    taken = range(min(count, most))
    return [[INK[x] for x in pixels[i * size : (i + 1) * size]] for i in taken], [*classes[:most]]


def split_digits(rng: random.Random) -> tuple[Data, Data]:
    """The digits of scikit-learn, shuffled: those to learn from, and 397 held out."""
    pairs = list(zip(*digits()))
    rng.shuffle(pairs)
    X, y = map(list, zip(*pairs))
    return (X[:-397], y[:-397]), (X[-397:], y[-397:])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, metavar="FOLDER", help="where the IDX files are")
    parser.add_argument("--train", type=int, default=10_000, metavar="N", help="of MNIST (10000)")
    parser.add_argument("--epochs", type=int, default=5, help="passes over the digits (5)")
    options = parser.parse_args(arguments)

    rng = random.Random(7)
    hidden = [256, 256]
    if options.mnist:
        hidden = [128]
        try:
            learned = read_mnist(options.mnist, "train", options.train)
            held_out = read_mnist(options.mnist, "t10k", 2000)
        except (OSError, ValueError, EOFError, zlib.error) as error:
            parser.error(str(error))
    else:
        learned, held_out = split_digits(rng)
    X, y = learned
    model = MLP(len(X[0]), [*hidden, 10], init="he", rng=rng)
    optimizer = Adam(model.parameters(), lr=0.002)
    print(f"{len(X)} digits, {len(optimizer.params)} parameters", flush=True)
    history = fit(
        model,
        X,
        y,
        loss=cross_entropy,
        optimizer=optimizer,
        epochs=options.epochs,
        batch_size=32,
        validation=held_out,
        compile=True,
        progress=False,
        rng=rng,
    )
    print(history)


if __name__ == "__main__":
    main()
