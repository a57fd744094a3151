"""The yardstick of compiled code: `step.c`, built with the machine's C compiler when it is run."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.heavy.bench import work
from tests.heavy.bench.peer import LeftOutError, Peer

SOURCE = Path(__file__).with_name("step.c")
PLAIN = {
    "over units": ('-DLAYOUT="over_units.h"',),
    "over 8 rows": ('-DLAYOUT="over_rows.h"',),
    "over 16 rows": ('-DLAYOUT="over_rows.h"', "-DLANES=16"),
}
"""Loops that the compiler turns into vector instructions by itself."""

TILED = {
    "in tiles of 5 rows": ('-DLAYOUT="over_tiles.h"', "-DTILE=5"),
    "in tiles of 10 rows": ('-DLAYOUT="over_tiles.h"', "-DTILE=10"),
}
"""The same written with vector types, so that sums stay in registers: tuned by hand."""

Layouts = Mapping[str, tuple[str, ...]]


def build(sizes: work.Sizes, flags: Sequence[str], folder: str) -> ctypes.CDLL:
    compiler = shutil.which("cc")
    if compiler is None:
        raise LeftOutError("not installed (no C compiler: cc is not on the PATH)")
    _, hidden, second, _ = sizes
    if hidden != second:
        raise ValueError(f"step.c has two hidden layers of one size, got {hidden} and {second}")
    defines = {
        "H": hidden,
        "ROWS": work.POINTS,
        "PARAMETERS": len(work.start(sizes)),
        "RATE": work.LEARNING_RATE[sizes],
        "ALPHA": work.ALPHA,
    }
    target = Path(folder) / "step.so"
    subprocess.run(
        [
            compiler,
            "-O3",
            "-march=native",
            *flags,
            "-shared",
            "-fPIC",
            *(f"-D{name}={value}" for name, value in defines.items()),
            str(SOURCE),
            "-o",
            str(target),
        ],
        check=True,
    )
    library = ctypes.CDLL(str(target))
    library.kernel.restype = library.steps.restype = ctypes.c_double
    return library


class HandWrittenC(Peer):
    """`-O3 -march=native` with `flags`, in the fastest of the layouts; loops stay inside C."""

    def __init__(
        self,
        sizes: work.Sizes,
        flags: Sequence[str] = (),
        kernel: bool = False,
        layouts: Layouts = PLAIN,
    ) -> None:
        self.size = len(work.start(sizes))
        self.sizes = sizes
        taken = {}
        libraries = {}
        for layout, defines in layouts.items():
            with tempfile.TemporaryDirectory() as folder:
                self.library = libraries[layout] = build(sizes, [*flags, *defines], folder)
            self.timed = self.library.kernel if kernel else self.library.steps
            self.reset()
            self.seconds(0.05)
            taken[layout] = min(self.seconds(0.01) for _ in range(5))
        fastest = min(taken, key=lambda layout: taken[layout])
        self.library = libraries[fastest]
        self.timed = self.library.kernel if kernel else self.library.steps
        self.note = f"vectors {fastest}, the fastest of {len(layouts)} layouts"
        self.reset()

    def reset(self) -> None:
        rows, labels = work.moons()
        flat = [coordinate for row in rows for coordinate in row]
        doubles = [
            (ctypes.c_double * len(numbers))(*numbers)
            for numbers in (flat, labels, work.start(self.sizes))
        ]
        self.library.set(*doubles)

    def step(self) -> float:
        return float(self.library.steps(1))

    def seconds(self, at_least: float) -> float:
        times = 1
        while True:
            began = time.perf_counter()
            self.timed(times)
            elapsed = time.perf_counter() - began
            if elapsed >= at_least:
                return elapsed / times
            times = max(2 * times, round(1.2 * times * at_least / max(elapsed, 1e-9)))

    def numbers(self) -> list[float]:
        out = (ctypes.c_double * self.size)()
        self.library.get(out)
        return list(out)
