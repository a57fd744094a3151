"""S3 · A layered, fully connected network in the notation of the textbooks, and its recursion.

    python demos/s3_layers.py

    zˡₖ = Σⱼ wˡₖⱼ aˡ⁻¹ⱼ + bˡₖ        aˡ = σ(zˡ)        C = ½ Σₖ (aᴸₖ − yₖ)²

With δˡⱼ = ∂C/∂zˡⱼ, the four equations of backpropagation are

    δᴸ = (aᴸ − y) σ′(zᴸ)                     ∂C/∂wˡₖⱼ = δˡₖ aˡ⁻¹ⱼ
    δˡⱼ = Σₖ δˡ⁺¹ₖ wˡ⁺¹ₖⱼ σ′(zˡⱼ)            ∂C/∂bˡₖ = δˡₖ

Worth a look: every number of the table stands there twice, once from `backward`, which knows
nothing of layers, and once from the recursion. They agree to the last digits; the gradients shrink
from layer 3 to layer 1, which S6 is about.
"""

import argparse
import random
from collections.abc import Sequence

from micrograd_like import MLP, Value
from micrograd_like._internal.text import write_ascii_where_needed

INPUT, TARGET = (0.5, -1.0), (1.0, 0.0)


class Trace:
    """One forward pass with every z and a kept, as lists of Values, layer by layer."""

    def __init__(self, network: MLP, x: Sequence[float], y: Sequence[float]) -> None:
        self.a: list[list[Value]] = [[Value(xi) for xi in x]]
        self.z: list[list[Value]] = []
        for layer in network.layers:
            before = self.a[-1]
            self.z.append(
                [sum((w * a for w, a in zip(n.w, before)), start=n.b) for n in layer.neurons]
            )
            self.a.append([z.sigmoid() for z in self.z[-1]])
        errors = [a - yk for a, yk in zip(self.a[-1], y)]
        self.cost = sum((e * e for e in errors), start=Value(0.0)) * 0.5


def recursion(network: MLP, trace: Trace, y: Sequence[float]) -> list[list[float]]:
    """δ of every layer by the equations above, from the last layer to the first."""
    slopes = [[a.data * (1 - a.data) for a in layer] for layer in trace.a[1:]]
    deltas = [[(a.data - yk) * s for a, yk, s in zip(trace.a[-1], y, slopes[-1])]]
    for layer, slope in zip(reversed(network.layers), reversed(slopes[:-1])):
        after = deltas[0]
        deltas.insert(
            0,
            [
                sum(d * n.w[j].data for d, n in zip(after, layer.neurons)) * slope[j]
                for j in range(len(slope))
            ],
        )
    return deltas


def main(arguments: Sequence[str] | None = None) -> None:
    write_ascii_where_needed()
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args(arguments)

    network = MLP(2, [3, 3, 2], rng=random.Random(3))
    trace = Trace(network, INPUT, TARGET)
    trace.cost.backward()
    deltas = recursion(network, trace, TARGET)

    print(f"C = {trace.cost.data:.6f}\n")
    print("layer  neuron         z         a          δ  δ by recursion   j      ∂C/∂w  δₖ · aⱼ")
    largest = 0.0
    for number, layer in enumerate(network.layers):
        for k, neuron in enumerate(layer.neurons):
            z, a, delta = trace.z[number][k], trace.a[number + 1][k], deltas[number][k]
            largest = max(largest, abs(z.grad - delta), abs(neuron.b.grad - delta))
            head = (
                f"{number + 1:5}  {k + 1:6}  {z.data:8.4f}  {a.data:8.4f}  "
                f"{z.grad:9.6f}  {delta:14.6f}"
            )
            for j, (w, before) in enumerate(zip(neuron.w, trace.a[number])):
                product = delta * before.data
                largest = max(largest, abs(w.grad - product))
                print(f"{head:56}   {j + 1}  {w.grad:9.6f}  {product:9.6f}")
                head = ""
    print(f"\nlargest difference between backward and the recursion: {largest:.1e}")


if __name__ == "__main__":
    main()
