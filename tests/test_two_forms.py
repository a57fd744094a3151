"""The compiled and the interpreted engine: the same script gives the same words and bits."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import copy, inspect, operator, pickle, pydoc, random, sys, traceback, weakref
from decimal import Decimal
from fractions import Fraction
import micrograd_like as ml
from micrograd_like import Value

def show(name, action, message=True):
    try:
        print(name, action())
    except Exception as error:
        print(name, type(error).__name__, error if message else "")
"""


def outcome(script: str, pure: str) -> tuple[str, str]:
    """The engine that ran the script, and what it printed."""
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            PRELUDE + textwrap.dedent(script) + "\nprint(ml.BACKEND)",
        ],
        env={**os.environ, "MICROGRAD_LIKE_PURE": pure},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *printed, backend = done.stdout.splitlines()
    return backend, "\n".join(printed)


def same_on_both(script: str) -> str:
    """What the script prints, once it printed the same on both engines."""
    compiled, interpreted = outcome(script, "0"), outcome(script, "1")
    assert interpreted[0] == "interpreted"
    if compiled[0] == "interpreted":
        pytest.skip("no compiled engine is installed here")
    assert compiled[1] == interpreted[1]
    return interpreted[1]


def test_numbers_of_every_kind_are_taken_and_refused_alike() -> None:
    printed = same_on_both("""
        class Odd:
            def __float__(self): return 1.0
            def __repr__(self): return "odd"
        class Reflecting:
            def __radd__(self, other): return "radd"
            def __rmul__(self, other): return "rmul"
            def __rtruediv__(self, other): return "rtruediv"
            def __repr__(self): return "reflecting"
        kinds = [3, True, 2.5, Fraction(1, 3), 10**400, float("nan"), "x", b"x", None, 1j,
                 Decimal(1), [1.0], (1.0,), {}, Odd(), Reflecting(), Value(1.0), Value, print]
        for number, x in enumerate(kinds):
            show(f"{number} made", lambda: Value(x), message=number != 4)
            for name in ("data", "grad"):
                v = Value(2.0)
                show(f"{number} {name}", lambda: (setattr(v, name, x), v), message=number != 4)
            show(f"{number} label", lambda: Value(1.0, label=x), message=False)
            show(f"{number} seed", lambda: Value(2.0).backward(x), message=number != 4)
            for op in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
                show(f"{number} {op.__name__}", lambda: op(Value(2.0), x), message=False)
                show(f"{number} {op.__name__} reflected", lambda: op(x, Value(2.0)), message=False)
    """)
    assert "0 data (None, Value(data=3.0, grad=0.0))" in printed
    assert "6 made TypeError expected a real number, got str: 'x'" in printed
    assert "10 add TypeError" in printed
    assert "15 add radd" in printed, "what the other operand answers is asked for"


def test_numpy_scalars_stand_on_either_side() -> None:
    pytest.importorskip("numpy")
    printed = same_on_both("""
        import numpy as np
        for x in (np.float64(2), np.float32(0.1), np.int8(3), np.bool_(True), np.array(2.0),
                  np.array([1.0, 2.0])):
            for op in (operator.add, operator.mul, operator.truediv, operator.pow):
                show(op.__name__, lambda: (op(Value(2.0), x), type(op(Value(2.0), x).data)), False)
                show(op.__name__, lambda: op(x, Value(2.0)), False)
            show("made", lambda: Value(x))
    """)
    assert "mul Value(data=4.0, grad=0.0)" in printed


def test_copies_pickles_and_references() -> None:
    printed = same_on_both("""
        v = Value(2.0, "v")
        v.grad = 3.0
        show("copy", lambda: copy.copy(v))
        show("deepcopy", lambda: copy.deepcopy([v, v]))
        show("one of two", lambda: len(set(map(id, copy.deepcopy([v, v])))))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            show("pickle", lambda: pickle.loads(pickle.dumps(v, protocol)))
            show("bytes", lambda: pickle.dumps(v, protocol).hex())
        for action in (copy.copy, copy.deepcopy, pickle.dumps, weakref.ref):
            show(action.__name__, lambda: action(v * v))
        show("equal", lambda: (v == v, v == Value(2.0), v != 2.0, hash(v) == hash(copy.copy(v))))
        show("dict", lambda: v.__dict__)
        show("new attribute", lambda: setattr(v, "foo", 1))
        for name in ("data", "grad", "label", "op", "parents", "operands", "local_grads", "foo"):
            show(name, lambda: delattr(v, name), message=False)
        for name in ("op", "parents", "operands", "local_grads", "_prev", "_op"):
            show(name, lambda: setattr(v, name, 1), message=False)
        show("still", lambda: v)
    """)
    assert "copy Value(data=2.0, grad=3.0, label='v')" in printed
    assert "data AttributeError" in printed
    assert "still Value(data=2.0, grad=3.0, label='v')" in printed


def test_subclasses_are_refused() -> None:
    printed = same_on_both("""
        show("subclass", lambda: type("Mine", (Value,), {}))
        show("mixed in", lambda: type("Mine", (dict, Value), {}), message=False)
    """)
    assert "subclass TypeError Value can't be subclassed" in printed


def test_help_and_signatures() -> None:
    printed = same_on_both("""
        def parameters(f):
            return [(p.name, p.default) for p in inspect.signature(f).parameters.values()]
        show("Value", lambda: [(p.name, p.default, p.kind) for p in
                               inspect.signature(Value).parameters.values()])
        v = Value(1.0)
        for name in sorted(n for n in dir(Value) if not n.startswith("_")):
            show(name, lambda: inspect.getdoc(getattr(Value, name)))
            if callable(getattr(v, name)):
                show(name, lambda: parameters(getattr(v, name)))
        show("doc", lambda: inspect.getdoc(Value))
        show("module", lambda: (Value.__module__, Value.__qualname__))
        text = pydoc.render_doc(Value, renderer=pydoc.plaintext)
        docs = "A float that remembers", "The number. Ass", "max(0, a)", "to the `grad` of every"
        show("help", lambda: [doc in text for doc in docs])
        show("source", lambda: inspect.getsource(inspect.getmodule(Value))[:80])
    """)
    assert "backward [('seed', 1.0)]" in printed
    assert "help [True, True, True, True]" in printed


def test_a_traceback_shows_the_line_of_the_engine() -> None:
    printed = same_on_both("""
        for action in (lambda: Value("x"), lambda: Value(1.0).backward("x")):
            try:
                action()
            except TypeError as error:
                for frame in traceback.extract_tb(error.__traceback__)[1:]:
                    print(frame.filename, frame.lineno, frame.name, frame.line)
    """)
    assert "__init__ self._data" in printed
    assert "engine.py" in printed


def test_the_same_bits() -> None:
    same_on_both("""
        rng = random.Random(5)
        unary = "relu sigmoid tanh exp log log1p sqrt sin cos softplus detach __neg__ __abs__"
        binary = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
        for _ in range(300):
            leaves = [Value(rng.choice([0.0, -0.0, 1.0, rng.gauss(0, 3), rng.gauss(0, 1) * 1e200]))
                      for _ in range(3)]
            nodes = list(leaves)
            for _ in range(rng.randrange(1, 30)):
                a = rng.choice(nodes)
                b = rng.choice([*nodes, rng.gauss(0, 1), rng.randrange(-2, 4)])
                if rng.random() < 0.5:
                    nodes.append(getattr(a, rng.choice(unary.split()))())
                else:
                    nodes.append(rng.choice(binary)(*((a, b) if rng.random() < 0.7 else (b, a))))
            nodes[-1].backward(rng.gauss(0, 1))
            for node in nodes:
                numbers = node.data, node.grad, *node.local_grads
                print(node.op, *(number.hex() for number in numbers))
    """)
