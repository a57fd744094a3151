"""The native and the pure engine: the same script gives the same words and bits."""

from __future__ import annotations

import os
import pydoc
import subprocess
import sys
import textwrap

import pytest

from micrograd_like import Value

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
            PRELUDE + textwrap.dedent(script) + "\nprint(ml.ENGINE)",
        ],
        env={**os.environ, "MICROGRAD_LIKE_PURE": pure},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *printed, engine = done.stdout.splitlines()
    return engine, "\n".join(printed)


def same_on_both(script: str) -> str:
    """The output of the script, once it printed the same on both engines."""
    native, pure = outcome(script, "0"), outcome(script, "1")
    assert pure[0] == "pure"
    if native[0] == "pure":
        pytest.skip("no native engine is installed here")
    assert native[1] == pure[1]
    return pure[1]


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
            show(f"{number} label", lambda: Value(1.0, label=x))
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
        for action in (copy.copy, copy.deepcopy, pickle.dumps):
            show(action.__name__, lambda: action(v * v))
        show("weak reference", lambda: weakref.ref(v), message=False)
        show("equal", lambda: (v == v, v == Value(2.0), v != 2.0, hash(v) == hash(copy.copy(v))))
        show("less", lambda: v < 3)
        show("greater", lambda: max(v, v * v))
        show("keys", lambda: [{v: 1, v * v: 2}[v], v in {v}, v in {Value(2.0)}])
        show("new attribute", lambda: setattr(v, "foo", 1), message=False)
        for name in ("data", "op", "foo"):
            try:
                delattr(v, name)
            except (AttributeError, NotImplementedError):
                print("refused")
        for name in ("op", "parents", "operands", "local_grads", "_prev", "_op"):
            show(name, lambda: setattr(v, name, 1), message=False)
        show("still", lambda: v)
    """)
    assert "copy Value(data=2.0, grad=3.0, label='v')" in printed
    assert printed.count("refused") == 3
    assert "still Value(data=2.0, grad=3.0, label='v')" in printed


def test_a_value_is_not_derived_from() -> None:
    printed = same_on_both("""
        show("derived", lambda: type("Own", (Value,), {}))
    """)
    assert "type 'micrograd_like.engine.Value' is not an acceptable base type" in printed


def test_help_and_signatures() -> None:
    printed = same_on_both("""
        from micrograd_like import engine, operation
        for of in (engine, operation, Value, ml.Op, ml.AnomalyError, operation.Operators):
            show("class or module", lambda: (of.__name__, inspect.getdoc(of)))
            for name, member in sorted(vars(of).items()):
                if name.startswith("_") or of in (engine, operation) and (
                        not callable(member) or member.__module__ != of.__name__):
                    continue
                show(name, lambda: inspect.getdoc(member))
                if callable(member) and not isinstance(member, type):
                    print(name, *inspect.signature(member).parameters.values())
        v = Value(1.0)
        print("of an object", inspect.signature(v.backward), inspect.getdoc(v.exp))
        for module in (engine, operation):
            show("source", lambda: inspect.getsource(module))
    """)
    assert "backward self seed: 'Any' = 1.0\n" in printed
    assert "backward Compute seed · ∂self/∂v" in printed
    assert "data The number. " in printed
    assert "of an object (seed: 'Any' = 1.0) -> 'None' e to the power a." in printed


def test_help_shows_the_methods_of_a_value() -> None:
    """Their order and what Python says of slots differ from form to form."""
    text = pydoc.plain(pydoc.render_doc(Value)).replace("'", "")  # Python 3.14 leaves quotes out
    for shown in ("backward(self, seed: Any = 1.0) -> None", "Compute seed · ∂self/∂v", "tanh("):
        assert shown in text


def test_methods_are_called_alike() -> None:
    printed = same_on_both("""
        v = Value(2.0, "v")
        show("reflected", lambda: (Value.__add__(v, "x"), v.__radd__("x"), v.__mul__([])))
        show("called", lambda: (Value.__add__(v, 1), v.__rsub__(3), Value.__neg__(v)))
        show("mapped", lambda: list(map(Value.exp, [v, v])))
        show("keyword", lambda: v.backward(seed=2.0))
        a, b = Value(1.0), Value(2.0)
        node = a + b
        for _ in range(100):
            node.__init__(5.0)
        show("a leaf from now on", lambda: (node, node.parents, node.backward(), a.grad))
        show("no reference left", lambda: (sys.getrefcount(a), sys.getrefcount(b)))
        show("as it was", lambda: (v.__init__("x"), v), message=False)
        show("as it was", lambda: v)
        show("bound", lambda: (v.exp.__self__ is v, v.exp.__name__))
        for action in (copy.copy, copy.deepcopy, lambda op: pickle.loads(pickle.dumps(op))):
            show("operation", lambda: action(ml.ops.exp) is ml.ops.exp)
            show("unknown", lambda: action(ml.Op("cube", "cube", abs, (abs,))))
        for name in ("data", "op", "label"):
            show("assign", lambda: setattr(Value(1.0), name, None), message=False)
        for wrong in (lambda: Value.exp(3), lambda: v.exp(1), lambda: Value.backward(),
                      lambda: v.backward(sead=1), lambda: Value(), lambda: Value(1, "", 8),
                      lambda: Value(1, nope=2), lambda: Value.data.__get__(3),
                      lambda: Value.data.__set__(3, 1.0), lambda: Value.__add__(3, v)):
            try:
                print(wrong())
            except (TypeError, AttributeError):
                print("refused")
        for label in (2, None, b"x", ""):
            show("label", lambda: Value(1.0, label))
    """)
    assert "reflected (NotImplemented, NotImplemented, NotImplemented)" in printed
    assert "a leaf from now on (Value(data=5.0, grad=1.0), (), None, 0.0)" in printed
    assert "unknown TypeError Op('cube') is not in the table" in printed
    assert printed.count("refused") == 10
    assert "label TypeError a label is a str, got int: 2" in printed


def test_a_traceback_shows_the_lines_of_the_file() -> None:
    printed = same_on_both("""
        def names(*operands): raise KeyError(operands)
        for action in (lambda: Value("x"), lambda: Value(1.0).backward("x"),
                       lambda: Value(10**400) * 2, lambda: ml.register(ml.Op("", "", 1, ()))):
            try:
                action()
            except Exception as error:
                for frame in traceback.extract_tb(error.__traceback__)[2:]:
                    print(frame.filename[-24:], frame.lineno, frame.line)
    """)
    assert "micrograd_like/engine.py" in printed
    assert "start = real(seed)" in printed
    assert 'raise TypeError(f"expected a real number, got ' in printed


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


def test_tapes_are_the_same() -> None:
    printed = same_on_both(
        """
        from micrograd_like.programs.tape import Tape
        from tests.programs.test_tape import random_graph

        for seed in range(100):
            tape = Tape(*random_graph(seed), follow=True)
            print(tape)
            print({name: x for name, x in vars(tape).items() if name != "ops"}, sorted(tape.ops))
        """
    )
    assert printed.count("gradient 0: ") > 50
