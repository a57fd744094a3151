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


def test_help_signatures_and_sources() -> None:
    printed = same_on_both("""
        from micrograd_like import AnomalyError, Op, engine, operation, operators, register
        for of in (Value, Op, AnomalyError, operators.Operators, operation.IeeeFloat):
            show("help", lambda: pydoc.render_doc(of, renderer=pydoc.plaintext))
            show("class", lambda: (of.__module__, of.__qualname__, inspect.signature(of)))
            show("source of the class", lambda: inspect.getsource(of))
            show("hints", lambda: of.__annotations__)
            for name in sorted(vars(of)):
                member = getattr(of, name)
                if isinstance(member, property):
                    show(name, lambda: (member.__doc__, inspect.getsource(member.fget)))
                    show(name, lambda: inspect.getsource(member.fset))
                elif callable(member):
                    show(name, lambda: (inspect.signature(member), inspect.getdoc(member)))
                    show(name, lambda: inspect.getsource(member), message=False)
                    show(name, lambda: inspect.getfullargspec(member), message=False)
                    show(name, lambda: (member.__name__, member.__qualname__, member.__module__))
        for module in (engine, operators, operation, ml.ops):
            show("module", lambda: (inspect.getdoc(module), inspect.getsource(module)[:80]))
        for function in (register, operation.evaluate, engine.topological_order):
            show("function", lambda: (inspect.signature(function), inspect.getdoc(function)))
            show("source", lambda: inspect.getsource(function))
        show("of an object", lambda: inspect.signature(Value(1.0).backward))
        show("its source", lambda: inspect.getsource(Value(1.0).exp))
        show("source", lambda: inspect.getsource(inspect.getmodule(Value))[:80])
    """)
    assert " |  backward(self, seed: 'Any' = 1.0) -> 'None'\n" in printed
    assert " |      Add seed · ∂self/∂leaf to the `grad` of every leaf" in printed
    assert "its source     def exp(self) -> Self:\n" in printed
    assert "of an object (seed: 'Any' = 1.0) -> 'None'" in printed


def test_methods_are_found_called_and_copied_like_functions() -> None:
    printed = same_on_both("""
        v = Value(2.0, "v")
        show("reflected", lambda: (Value.__add__(v, "x"), v.__radd__("x"), v.__mul__([])))
        show("called", lambda: (Value.__add__(v, 1), v.__rsub__(3), Value.__neg__(v)))
        show("mapped", lambda: list(map(Value.exp, [v, v])))
        show("keyword", lambda: v.backward(seed=2.0))
        show("again", lambda: v.__init__(5.0))
        show("not again", lambda: v.__init__("x"))
        a, b = Value(1.0), Value(2.0)
        node = a + b
        for _ in range(100):
            node.__init__(3.0, "", "add", a, 1.0, b, 1.0)
        show("no reference more", lambda: (sys.getrefcount(a), sys.getrefcount(b)))
        show("still a sum", lambda: (node, node.parents == (a, b), node.backward(), a.grad))
        show("weak references", lambda: weakref.ref(Value.exp)() is Value.exp)
        show("as it was", lambda: v)
        show("bound", lambda: (v.exp.__self__ is v, v.exp.__func__ is Value.exp, v.exp == v.exp))
        show("names", lambda: [n for n in dir(v) if n not in ("__reduce_ex__", "__sizeof__")])
        for copied in (Value.exp, ml.register, Value.__add__):
            show("copy", lambda: copy.deepcopy(copied) is copied)
            show("pickle", lambda: pickle.loads(pickle.dumps(copied)) is copied)
        show("method", lambda: pickle.loads(pickle.dumps(v.exp))().data)
        for action in (copy.copy, copy.deepcopy, lambda op: pickle.loads(pickle.dumps(op))):
            show("operation", lambda: action(ml.ops.exp) is ml.ops.exp)
            show("unknown", lambda: action(ml.Op("cube", "cube", abs, (abs,))))
        for name in ("data", "op"):
            show("delete", lambda: delattr(v, name))
            show("assign", lambda: setattr(Value(1.0), name, "x"))
        for wrong in (lambda: Value.exp(3), lambda: Value.data.fget(3), lambda: v.exp(1),
                      lambda: Value.data.fset(v), lambda: Value.data.fset(3, 1.0), Value.backward,
                      lambda: v.backward(sead=1), lambda: Value.__new__(Value).data, Value,
                      lambda: Value(1, "", "", None, 0.0, None, 0.0, 8), lambda: Value(1, nope=2)):
            try:
                print(wrong())
            except (TypeError, AttributeError):
                print("refused")
        for label in (2, None, b"x", ""):
            show("label", lambda: Value(1.0, label))
    """)
    assert "reflected (NotImplemented, NotImplemented, NotImplemented)" in printed
    assert "again None\nnot again TypeError expected a real number, got str: 'x'" in printed
    assert "unknown TypeError Op('cube') is not in the table" in printed
    assert printed.count("refused") == 11
    assert "label TypeError a label is a str, got int: 2" in printed


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
